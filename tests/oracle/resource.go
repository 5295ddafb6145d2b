package main

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"preamp.dev/tests/oracle/protocol"
)

// copyResourceAttributes puts the resource attributes that the options choose onto every point; they
// win over attributes of the same key. The Collector's exporter has this from its package
// resourcetotelemetry, which in v0.156 does not know resource_constant_labels yet.
func copyResourceAttributes(metrics pmetric.Metrics, options protocol.Options) {
	chosen := choice(options)
	if chosen == nil {
		return
	}
	for _, resource := range metrics.ResourceMetrics().All() {
		attributes := pcommon.NewMap()
		for key, value := range resource.Resource().Attributes().All() {
			if chosen(key) {
				value.CopyTo(attributes.PutEmpty(key))
			}
		}
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				for target := range pointAttributes(metric) {
					for key, value := range attributes.All() {
						value.CopyTo(target.PutEmpty(key))
					}
				}
			}
		}
	}
}

// choice tells which resource attributes are copied; nil if none are.
func choice(options protocol.Options) func(key string) bool {
	conversion, labels := options.ResourceToTelemetryConversion, options.ResourceConstantLabels
	switch {
	case len(labels.Included) > 0 || len(labels.Excluded) > 0:
		return func(key string) bool {
			matches := func(pattern string) bool { return glob([]rune(pattern), []rune(key)) }
			included := len(labels.Included) == 0 || slices.ContainsFunc(labels.Included, matches)
			return included && !slices.ContainsFunc(labels.Excluded, matches)
		}
	case conversion.Enabled && conversion.ExcludeServiceAttributes:
		service := []string{"service.name", "service.namespace", "service.instance.id"}
		return func(key string) bool { return !slices.Contains(service, key) }
	case conversion.Enabled:
		return func(string) bool { return true }
	default:
		return nil
	}
}

// glob tells whether a text is of a pattern, in which `*` stands for any text and `?` for any one
// character.
func glob(pattern, text []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	if pattern[0] == '*' {
		return glob(pattern[1:], text) || (len(text) > 0 && glob(pattern, text[1:]))
	}
	return len(text) > 0 && (pattern[0] == '?' || pattern[0] == text[0]) && glob(pattern[1:], text[1:])
}

// pointAttributes are the attributes of each point of a metric.
func pointAttributes(metric pmetric.Metric) func(yield func(pcommon.Map) bool) {
	return func(yield func(pcommon.Map) bool) {
		switch metric.Type() {
		case pmetric.MetricTypeGauge:
			each(metric.Gauge().DataPoints(), yield)
		case pmetric.MetricTypeSum:
			each(metric.Sum().DataPoints(), yield)
		case pmetric.MetricTypeHistogram:
			each(metric.Histogram().DataPoints(), yield)
		case pmetric.MetricTypeExponentialHistogram:
			each(metric.ExponentialHistogram().DataPoints(), yield)
		case pmetric.MetricTypeSummary:
			each(metric.Summary().DataPoints(), yield)
		}
	}
}

// each yields the attributes of each point of a slice of any type.
func each[Point interface{ Attributes() pcommon.Map }](points interface {
	Len() int
	At(int) Point
}, yield func(pcommon.Map) bool) {
	for i := range points.Len() {
		if !yield(points.At(i).Attributes()) {
			return
		}
	}
}
