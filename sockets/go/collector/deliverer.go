package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	preamp "preamp.dev/sockets/go"
)

// deliverer hands payloads to the component, and says what became of them as exporters of the Collector do.
type deliverer struct {
	config    *Config
	settings  component.TelemetrySettings
	logger    *zap.Logger
	counters  *counters
	core      *preamp.Exporter
	marshaler pmetric.ProtoMarshaler
}

func newDeliverer(config *Config, settings exporter.Settings) (*deliverer, error) {
	counters, err := newCounters(settings)
	if err != nil {
		return nil, err
	}
	for _, warning := range config.warnings() {
		settings.Logger.Warn(warning)
	}
	return &deliverer{
		config: config, settings: settings.TelemetrySettings, logger: oncePerMinute(settings.Logger), counters: counters,
	}, nil
}

// oncePerMinute logs each message once a minute.
func oncePerMinute(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Minute, 1, 0)
	}))
}

func (d *deliverer) start(ctx context.Context, host component.Host) error {
	// The component sets the header fields, those of the file among them, so that it signs them.
	settings := d.config.HTTP
	settings.Headers, settings.Compression = nil, ""
	client, err := settings.ToClient(ctx, host.GetExtensions(), d.settings)
	if err != nil {
		return err
	}
	if names := d.config.IncludeMetadataKeys; len(names) > 0 {
		client.Transport = &metadataSender{names: names, next: client.Transport}
	}
	options := preamp.Options{
		Client:      client,
		Patience:    d.config.patience(),
		Instances:   d.config.consumers(),
		MemoryBytes: d.config.InstanceMemoryBytes,
	}
	if signing := d.config.SigV4.Get(); signing != nil {
		keys := keys{signing: *signing, region: d.config.region(), logger: d.logger}
		options.Keys = keys.derive
	}
	configuration, err := d.config.forComponent()
	if err != nil {
		return err
	}
	d.core, err = preamp.Open(ctx, configuration, options)
	return err
}

func (d *deliverer) stopPausing() {
	if d.core != nil {
		d.core.StopPausing()
	}
}

func (d *deliverer) shutdown(ctx context.Context) error {
	if d.core == nil {
		return nil
	}
	return d.core.Close(ctx)
}

const protobuf = "application/x-protobuf"

// push delivers a payload.
func (d *deliverer) push(ctx context.Context, metrics pmetric.Metrics) error {
	payload, err := d.marshaler.MarshalMetrics(metrics)
	if err != nil {
		return consumererror.NewPermanent(err)
	}
	outcome, err := d.core.Deliver(ctx, payload, protobuf, "")
	if errors.Is(err, preamp.ErrInstance) {
		// Another instance may have the memory that this one lacked. A payload that fails again would fail for ever.
		d.counters.replaced(ctx)
		d.logger.Error("an instance of the component failed and was replaced", zap.Error(err))
		outcome, err = d.core.Deliver(ctx, payload, protobuf, "")
		if errors.Is(err, preamp.ErrInstance) {
			d.counters.replaced(ctx)
			return consumererror.NewPermanent(fmt.Errorf("the payload fails each instance of the component: %w", err))
		}
	}
	if err != nil {
		return err
	}
	err = classify(outcome)
	if err == nil || consumererror.IsPermanent(err) {
		d.counters.settled(ctx, outcome)
	}
	if err == nil && outcome.Rejected+outcome.PartlyRejected > 0 {
		d.report(outcome)
	}
	return err
}

// classify is the class of error that the Collector knows for an outcome; nil once at least a part was taken and the rest never
// will be.
func classify(outcome *preamp.Outcome) error {
	switch {
	case !outcome.IsSettled():
		err := errors.New(message(outcome))
		if after := outcome.RetryAfter(); after > 0 {
			return exporterhelper.NewThrottleRetry(err, after)
		}
		return err
	case outcome.Status != http.StatusOK:
		return consumererror.NewPermanent(errors.New(message(outcome)))
	case outcome.Rejected > 0 && outcome.Delivered+outcome.PartlyRejected == 0:
		return consumererror.NewPermanent(fmt.Errorf("all %d points were rejected: %s", outcome.Rejected, message(outcome)))
	default:
		return nil
	}
}

// report logs what was not taken of a payload, by reason.
func (d *deliverer) report(outcome *preamp.Outcome) {
	for _, explanation := range outcome.Explanations {
		d.logger.Warn("points were rejected: "+explanation.Reason,
			zap.Uint64("rejected_points", outcome.Rejected),
			zap.Uint64("points_of_requests_stored_in_part", outcome.PartlyRejected),
			zap.String("details", explanation.Detail),
			zap.String("remedy", explanation.Remedy))
	}
}

// metadataSender sends metadata of incoming requests on.
type metadataSender struct {
	names []string
	next  http.RoundTripper
}

// RoundTrip sends a request.
func (s *metadataSender) RoundTrip(request *http.Request) (*http.Response, error) {
	metadata := client.FromContext(request.Context()).Metadata
	request = request.Clone(request.Context())
	for _, name := range s.names {
		for _, value := range metadata.Get(name) {
			request.Header.Add(name, value)
		}
	}
	return s.next.RoundTrip(request)
}
