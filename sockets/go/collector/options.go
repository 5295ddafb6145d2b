package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	preamp "preamp.dev/sockets/go"
)

// Options are those of the component, by the names that they have in a file of the Collector or of Preamp. What is left out is for
// the component to choose: its defaults go by the receiver.
type Options struct {
	Profile                         *string           `mapstructure:"profile" json:"profile,omitempty"`
	Namespace                       *string           `mapstructure:"namespace" json:"namespace,omitempty"`
	ExternalLabels                  map[string]string `mapstructure:"external_labels" json:"external_labels,omitempty"`
	AddMetricSuffixes               *bool             `mapstructure:"add_metric_suffixes" json:"add_metric_suffixes,omitempty"`
	TranslationStrategy             *string           `mapstructure:"translation_strategy" json:"translation_strategy,omitempty"`
	ProtobufMessage                 *string           `mapstructure:"protobuf_message" json:"protobuf_message,omitempty"`
	SendMetadata                    *bool             `mapstructure:"send_metadata" json:"send_metadata,omitempty"`
	MetadataInterval                *milliseconds     `mapstructure:"metadata_interval" json:"metadata_interval_ms,omitempty"`
	Exemplars                       *bool             `mapstructure:"exemplars" json:"exemplars,omitempty"`
	ExportCreatedMetric             *Switch           `mapstructure:"export_created_metric" json:"export_created_metric,omitempty"`
	ScopeInfo                       *Switch           `mapstructure:"scope_info" json:"otel_scope_info,omitempty"`
	TargetInfo                      *Switch           `mapstructure:"target_info" json:"target_info,omitempty"`
	DisableScopeInfo                *bool             `mapstructure:"disable_scope_info" json:"disable_scope_info,omitempty"`
	ConvertExplicitHistogramsToNHCB *bool             `mapstructure:"convert_explicit_histograms_to_nhcb" json:"convert_explicit_histograms_to_nhcb,omitempty"`
	KeepClassicHistograms           *bool             `mapstructure:"keep_classic_histograms" json:"keep_classic_histograms,omitempty"`
	ExponentialHistograms           *string           `mapstructure:"exponential_histograms" json:"exponential_histograms,omitempty"`
	LabelNames                      *string           `mapstructure:"label_names" json:"label_names,omitempty"`
	KeepIdentifying                 *bool             `mapstructure:"keep_identifying_resource_attributes" json:"keep_identifying_resource_attributes,omitempty"`
	DuplicateSamples                *string           `mapstructure:"duplicate_samples" json:"duplicate_samples,omitempty"`
	MaxBatchSizeBytes               *int              `mapstructure:"max_batch_size_bytes" json:"max_batch_size_bytes,omitempty"`
	MaxSampleAge                    *milliseconds     `mapstructure:"max_sample_age" json:"max_sample_age_ms,omitempty"`
	MaxSampleFuture                 *milliseconds     `mapstructure:"max_sample_future" json:"max_sample_future_ms,omitempty"`
	MaxLabelsPerSeries              *int              `mapstructure:"max_labels_per_series" json:"max_labels_per_series,omitempty"`
	MaxLabelsBytes                  *int              `mapstructure:"max_labels_bytes" json:"max_labels_bytes,omitempty"`

	// ResourceToTelemetry and ResourceConstantLabels have the same keys in prometheusremotewrite, where each is meant to have
	// two of them.
	ResourceToTelemetry    *ResourceLabels `mapstructure:"resource_to_telemetry_conversion" json:"-"`
	ResourceConstantLabels *ResourceLabels `mapstructure:"resource_constant_labels" json:"-"`
	// Delta can only be what it is by default: see validate.
	Delta *string `mapstructure:"delta" json:"-"`
}

// Switch is a section with the key `enabled` alone.
type Switch struct {
	Enabled bool `mapstructure:"enabled" json:"enabled"`
}

// ResourceLabels says which attributes of the resource become labels.
type ResourceLabels struct {
	Enabled                  bool     `mapstructure:"enabled"`
	ExcludeServiceAttributes bool     `mapstructure:"exclude_service_attributes"`
	Included                 []string `mapstructure:"included"`
	Excluded                 []string `mapstructure:"excluded"`
}

func (l *ResourceLabels) hasSwitches() bool {
	return l != nil && (l.Enabled || l.ExcludeServiceAttributes)
}
func (l *ResourceLabels) hasPatterns() bool {
	return l != nil && (len(l.Included) > 0 || len(l.Excluded) > 0)
}

// milliseconds is a duration in a file, and a number for the component.
type milliseconds time.Duration

// UnmarshalText reads a duration such as 90s or 1h.
func (m *milliseconds) UnmarshalText(text []byte) error {
	duration, err := time.ParseDuration(string(text))
	*m = milliseconds(duration)
	return err
}

// MarshalJSON writes the number.
func (m milliseconds) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(m).Milliseconds())
}

func (o *Options) validate() error {
	var problems []error
	refuse := func(text string) { problems = append(problems, errors.New(text)) }
	if o.Delta != nil && *o.Delta != "reject" {
		refuse("delta: this exporter keeps no totals, since a payload may be handed to it twice. Put the processor " +
			"deltatocumulative in front of it")
	}
	conversion, constant := o.ResourceToTelemetry, o.ResourceConstantLabels
	if constant.hasSwitches() {
		refuse("resource_constant_labels has no enabled and no exclude_service_attributes: use included and excluded")
	}
	if conversion.hasSwitches() && conversion.hasPatterns() {
		refuse("resource_to_telemetry_conversion: enabled and exclude_service_attributes do not go with included and excluded")
	}
	if (conversion.hasSwitches() || conversion.hasPatterns()) && constant.hasPatterns() {
		refuse("resource_to_telemetry_conversion and resource_constant_labels mean the same: keep the second, which is newer")
	}
	return errors.Join(problems...)
}

// The configuration of the component, as JSON.
type componentConfiguration struct {
	Endpoint  string            `json:"endpoint"`
	SigV4     *signingScope     `json:"sigv4,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	UserAgent string            `json:"user_agent,omitempty"`
	Options
	ResourceToTelemetry    *resourceSwitches `json:"resource_to_telemetry_conversion,omitempty"`
	ResourceConstantLabels *resourcePatterns `json:"resource_constant_labels,omitempty"`
	Retry                  retry             `json:"retry_on_failure"`
}

type signingScope struct {
	Region  string `json:"region"`
	Service string `json:"service"`
}

type resourceSwitches struct {
	Enabled                  bool `json:"enabled"`
	ExcludeServiceAttributes bool `json:"exclude_service_attributes"`
}

type resourcePatterns struct {
	Included []string `json:"included,omitempty"`
	Excluded []string `json:"excluded,omitempty"`
}

type retry struct {
	InitialInterval int64   `json:"initial_interval_ms"`
	Multiplier      float64 `json:"multiplier"`
	MaxInterval     int64   `json:"max_interval_ms"`
}

// forComponent is the configuration of the component.
func (c *Config) forComponent() (string, error) {
	made := componentConfiguration{Endpoint: c.HTTP.Endpoint, Options: c.Options}
	if signing := c.SigV4.Get(); signing != nil {
		made.SigV4 = &signingScope{Region: c.region(), Service: signing.service()}
	}
	for name, value := range c.HTTP.Headers.Iter {
		if strings.EqualFold(name, "user-agent") {
			made.UserAgent = string(value)
			continue
		}
		if made.Headers == nil {
			made.Headers = map[string]string{}
		}
		made.Headers[name] = string(value)
	}
	if labels := c.Options.ResourceToTelemetry; labels.hasSwitches() {
		made.ResourceToTelemetry = &resourceSwitches{labels.Enabled, labels.ExcludeServiceAttributes}
	}
	for _, labels := range []*ResourceLabels{c.Options.ResourceToTelemetry, c.Options.ResourceConstantLabels} {
		if labels.hasPatterns() {
			made.ResourceConstantLabels = &resourcePatterns{labels.Included, labels.Excluded}
		}
	}
	if size := c.Options.MaxBatchSizeBytes; size != nil && *size == 0 {
		// As in prometheusremotewrite, the default.
		made.MaxBatchSizeBytes = nil
	}
	made.Retry = retry{
		InitialInterval: max(c.Retry.InitialInterval.Milliseconds(), 1),
		Multiplier:      max(c.Retry.Multiplier, 1),
		MaxInterval:     max(c.Retry.MaxInterval.Milliseconds(), c.Retry.InitialInterval.Milliseconds(), 1),
	}
	text, err := json.Marshal(made)
	return string(text), err
}

// The first part of the host of every workspace of AMP.
const hostOfAMP = "aps-workspaces"

func isAMP(endpoint string) bool {
	address, err := url.Parse(endpoint)
	return err == nil && strings.HasPrefix(address.Hostname(), hostOfAMP)
}

// region is what the file says, or the endpoint, as in the extension sigv4auth.
func (c *Config) region() string {
	if region := c.SigV4.Get().Region; region != "" || !isAMP(c.HTTP.Endpoint) {
		return region
	}
	address, err := url.Parse(c.HTTP.Endpoint)
	if err != nil {
		return ""
	}
	parts := strings.Split(address.Hostname(), ".")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

func (s *SigV4) service() string {
	if s.Service == "" {
		return "aps"
	}
	return s.Service
}

// tryComponent has the component read its part, and says what it does not take by the names of the file.
func (c *Config) tryComponent() error {
	configuration, err := c.forComponent()
	if err != nil {
		return err
	}
	ctx := context.Background()
	opened, err := preamp.Open(ctx, configuration, preamp.Options{MemoryBytes: c.InstanceMemoryBytes})
	if refused := (*preamp.ConfigurationError)(nil); errors.As(err, &refused) {
		var problems []error
		for _, problem := range refused.Problems {
			problems = append(problems, fmt.Errorf("%s: %s", key(problem.Path), problem.Message))
		}
		return errors.Join(problems...)
	}
	if err != nil {
		return err
	}
	return opened.Close(ctx)
}

// key is the name in a file of what the component calls by a JSON Pointer (RFC 6901).
func key(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for index, part := range parts {
		part = strings.TrimSuffix(part, "_ms")
		if part == "otel_scope_info" {
			part = "scope_info"
		}
		parts[index] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return strings.Join(parts, "::")
}
