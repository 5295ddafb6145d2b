// Package collector is an exporter of the OpenTelemetry Collector to Amazon Managed Service for Prometheus, or to any other
// receiver of Prometheus remote write. It takes the keys of the exporter prometheusremotewrite, and runs the component that
// all hosts of Preamp run.
package collector

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Type is the name of the exporter in a file.
var Type = component.MustNewType("preamp")

const stability = component.StabilityLevelAlpha

// NewFactory is what a distribution of the Collector lists among its exporters.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(Type, createDefaultConfig, exporter.WithMetrics(createMetrics, stability))
}

func createMetrics(ctx context.Context, settings exporter.Settings, config component.Config) (exporter.Metrics, error) {
	typed, is := config.(*Config)
	if !is {
		return nil, fmt.Errorf("%T is no configuration of this exporter", config)
	}
	deliverer, err := newDeliverer(typed, settings)
	if err != nil {
		return nil, err
	}
	inner, err := exporterhelper.NewMetrics(ctx, settings, typed, deliverer.push,
		exporterhelper.WithCapabilities(consumer.Capabilities{MutatesData: false}),
		// Each request has the timeout, which a payload of several requests must not share.
		exporterhelper.WithTimeout(exporterhelper.TimeoutConfig{Timeout: 0}),
		exporterhelper.WithRetry(typed.Retry),
		exporterhelper.WithQueue(typed.Queue),
		exporterhelper.WithStart(deliverer.start),
		exporterhelper.WithShutdown(deliverer.shutdown),
	)
	if err != nil {
		return nil, err
	}
	return &hurrying{Metrics: inner, deliverer: deliverer}, nil
}

// hurrying ends the pauses of deliveries when shutting down begins: the queue is emptied with one attempt for each payload, as
// by all exporters of the Collector.
type hurrying struct {
	exporter.Metrics
	deliverer *deliverer
}

// Shutdown ends the exporter.
func (h *hurrying) Shutdown(ctx context.Context) error {
	h.deliverer.stopPausing()
	return h.Metrics.Shutdown(ctx)
}

// ExporterHelperBatchingEnabled tells the Collector whether the queue makes batches, so that it can warn of doing so twice.
func (h *hurrying) ExporterHelperBatchingEnabled() bool {
	batching, is := h.Metrics.(interface{ ExporterHelperBatchingEnabled() bool })
	return is && batching.ExporterHelperBatchingEnabled()
}
