package main

import (
	"context"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/resourcetotelemetry"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"preamp.dev/tests/oracle/protocol"
)

// withResourceAttributes puts the resource attributes that the options choose onto every point, as the Collector's
// exporter does around its translator, and with the same package.
func withResourceAttributes(metrics pmetric.Metrics, options protocol.Options) (pmetric.Metrics, error) {
	settings := resourcetotelemetry.Settings{
		Included: options.ResourceConstantLabels.Included,
		Excluded: options.ResourceConstantLabels.Excluded,
	}
	if conversion := options.ResourceToTelemetryConversion; settings.IsEmpty() {
		settings.Enabled = conversion.Enabled
		settings.ExcludeServiceAttributes = conversion.ExcludeServiceAttributes
	}
	taken := &sink{}
	err := resourcetotelemetry.WrapMetricsExporter(settings, taken).ConsumeMetrics(context.Background(), metrics)
	return taken.metrics, err
}

// sink is an exporter that keeps what it is given.
type sink struct {
	component.StartFunc
	component.ShutdownFunc
	metrics pmetric.Metrics
}

func (*sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (s *sink) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	s.metrics = metrics
	return nil
}
