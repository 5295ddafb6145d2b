// The judge of Preamp's translation: the translator of the OpenTelemetry Collector's
// prometheusremotewrite exporter, asked over standard input and output.
//
// The exporter does two things before it calls its translator, which are done here likewise: it
// makes label names of the configured external labels, and copies resource attributes onto points.
package main

import (
	"errors"
	"fmt"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheus"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheusremotewrite"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"preamp.dev/tests/oracle/protocol"
)

const messageV2 = "io.prometheus.write.v2.Request"

func main() { protocol.Serve("oracle", answer) }

func answer(request protocol.Request) (protocol.Answer, error) {
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(request.Payload)
	if err != nil {
		return protocol.Answer{}, fmt.Errorf("unmarshal the payload: %w", err)
	}
	settings, err := settings(request.Options)
	if err != nil {
		return protocol.Answer{}, err
	}
	keep := prometheus.KeepIdentifyingResourceAttributesGate.ID()
	if err := featuregate.GlobalRegistry().Set(keep, request.Options.KeepIdentifyingAttributes); err != nil {
		return protocol.Answer{}, err
	}
	if metrics, err = withResourceAttributes(metrics, request.Options); err != nil {
		return protocol.Answer{}, err
	}
	if request.Options.ProtobufMessage == messageV2 {
		return answerV2(metrics, settings), nil
	}
	return answerV1(metrics, settings), nil
}

func settings(options protocol.Options) (prometheusremotewrite.Settings, error) {
	external := make(map[string]string, len(options.ExternalLabels))
	namer := otlptranslator.LabelNamer{
		UTF8Allowed:                 allowsUTF8(options.TranslationStrategy),
		PreserveMultipleUnderscores: true,
	}
	for key, value := range options.ExternalLabels {
		name, err := namer.Build(key)
		if err != nil {
			return prometheusremotewrite.Settings{}, fmt.Errorf("external label: %w", err)
		}
		external[name] = value
	}
	return prometheusremotewrite.Settings{
		Namespace:           options.Namespace,
		ExternalLabels:      external,
		DisableTargetInfo:   !options.TargetInfo.Or(true),
		DisableScopeInfo:    options.DisableScopeInfo,
		AddMetricSuffixes:   protocol.Or(options.AddMetricSuffixes, true),
		TranslationStrategy: options.TranslationStrategy,
		SendMetadata:        options.SendMetadata,

		ConvertExplicitHistogramsToNHCB: options.ConvertToNHCB,
		KeepClassicHistograms:           options.KeepClassic,
	}, nil
}

func allowsUTF8(strategy string) bool {
	return strategy == "NoUTF8EscapingWithSuffixes" || strategy == "NoTranslation"
}

func answerV1(metrics pmetric.Metrics, settings prometheusremotewrite.Settings) protocol.Answer {
	series, err := prometheusremotewrite.FromMetrics(metrics, settings)
	answer := protocol.Answer{Series: make([]protocol.Series, 0, len(series))}
	for _, one := range series {
		answer.Series = append(answer.Series, seriesV1(one))
	}
	if settings.SendMetadata {
		metadata, metadataErr := prometheusremotewrite.OtelMetricsToMetadata(metrics, settings)
		err = errors.Join(err, metadataErr)
		for _, one := range metadata {
			answer.Metadata = append(answer.Metadata, protocol.Metadata{
				Name: one.MetricFamilyName, Type: int32(one.Type), Help: one.Help, Unit: one.Unit,
			})
		}
	}
	answer.Error = text(err)
	return answer
}

func answerV2(metrics pmetric.Metrics, settings prometheusremotewrite.Settings) protocol.Answer {
	series, symbols, err := prometheusremotewrite.FromMetricsV2(metrics, settings)
	answer := protocol.Answer{Series: make([]protocol.Series, 0, len(series)), Error: text(err)}
	texts := symbols.Symbols()
	for _, one := range series {
		answer.Series = append(answer.Series, seriesV2(one, texts))
	}
	return answer
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
