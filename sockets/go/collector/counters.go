package collector

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	preamp "preamp.dev/sockets/go"
)

const scope = "preamp.dev/sockets/go/collector"

// counters are this exporter's part of the Collector's own metrics.
type counters struct {
	exporter                                       metric.MeasurementOption
	delivered, partlyRejected, rejected, instances metric.Int64Counter
}

func newCounters(settings exporter.Settings) (*counters, error) {
	meter := settings.MeterProvider.Meter(scope)
	var problems []error
	counter := func(name, unit, description string) metric.Int64Counter {
		made, err := meter.Int64Counter("otelcol_exporter_preamp_"+name, metric.WithUnit(unit), metric.WithDescription(description))
		problems = append(problems, err)
		return made
	}
	made := &counters{
		exporter:       metric.WithAttributeSet(attribute.NewSet(attribute.String("exporter", settings.ID.String()))),
		delivered:      counter("delivered_points", "{points}", "Points that the receiver has."),
		partlyRejected: counter("partly_rejected_points", "{points}", "Points of requests that the receiver stored in part."),
		rejected:       counter("rejected_points", "{points}", "Points that the component or the receiver rejected."),
		instances:      counter("replaced_instances", "{instances}", "Instances of the component that failed."),
	}
	return made, errors.Join(problems...)
}

func (c *counters) settled(ctx context.Context, outcome *preamp.Outcome) {
	c.delivered.Add(ctx, int64(outcome.Delivered), c.exporter)
	c.partlyRejected.Add(ctx, int64(outcome.PartlyRejected), c.exporter)
	c.rejected.Add(ctx, int64(outcome.Rejected), c.exporter)
}

func (c *counters) replaced(ctx context.Context) { c.instances.Add(ctx, 1, c.exporter) }
