// The judge of the _created series, which the Collector's translator wrote for the last time without
// conditions in v0.114.0. Its names are made by older rules, so it is asked about plain ones only.
package main

import (
	"fmt"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"preamp.dev/tests/oracle/protocol"
)

func main() { protocol.Serve("created", answer) }

func answer(request protocol.Request) (protocol.Answer, error) {
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(request.Payload)
	if err != nil {
		return protocol.Answer{}, fmt.Errorf("unmarshal the payload: %w", err)
	}
	options := request.Options
	series, err := prometheusremotewrite.FromMetrics(metrics, prometheusremotewrite.Settings{
		Namespace:           options.Namespace,
		DisableTargetInfo:   !options.TargetInfo.Or(true),
		ExportCreatedMetric: options.ExportCreatedMetric.Or(false),
		AddMetricSuffixes:   protocol.Or(options.AddMetricSuffixes, true),
	})
	answer := protocol.Answer{Series: make([]protocol.Series, 0, len(series))}
	if err != nil {
		answer.Error = err.Error()
	}
	for _, one := range series {
		converted := protocol.Series{}
		for _, label := range one.Labels {
			converted.Labels = append(converted.Labels, [2]string{label.Name, label.Value})
		}
		for _, sample := range one.Samples {
			converted.Samples = append(converted.Samples, protocol.Sample{
				Value: protocol.Bits(sample.Value), Time: sample.Timestamp,
			})
		}
		answer.Series = append(answer.Series, converted)
	}
	return answer, nil
}
