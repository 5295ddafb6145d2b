package main

import (
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"preamp.dev/tests/oracle/protocol"
)

func seriesV1(series *prompb.TimeSeries) protocol.Series {
	result := protocol.Series{Labels: labelsV1(series.Labels)}
	for _, sample := range series.Samples {
		result.Samples = append(result.Samples, protocol.Sample{
			Value: protocol.Bits(sample.Value), Time: sample.Timestamp,
		})
	}
	for _, histogram := range series.Histograms {
		result.Histograms = append(result.Histograms, protocol.Histogram{
			Schema:        histogram.Schema,
			Count:         histogram.GetCountInt(),
			Sum:           protocol.Bits(histogram.Sum),
			ZeroThreshold: protocol.Bits(histogram.ZeroThreshold),
			ZeroCount:     histogram.GetZeroCountInt(),
			Positive:      side(histogram.PositiveSpans, spanV1, histogram.PositiveDeltas),
			Negative:      side(histogram.NegativeSpans, spanV1, histogram.NegativeDeltas),
			CustomValues:  bits(histogram.CustomValues),
			ResetHint:     int32(histogram.ResetHint),
			Time:          histogram.Timestamp,
		})
	}
	for _, exemplar := range series.Exemplars {
		result.Exemplars = append(result.Exemplars, protocol.Exemplar{
			Labels: labelsV1(exemplar.Labels), Value: protocol.Bits(exemplar.Value), Time: exemplar.Timestamp,
		})
	}
	return result
}

func labelsV1(labels []prompb.Label) [][2]string {
	pairs := make([][2]string, 0, len(labels))
	for _, label := range labels {
		pairs = append(pairs, [2]string{label.Name, label.Value})
	}
	return pairs
}

func seriesV2(series *writev2.TimeSeries, symbols []string) protocol.Series {
	result := protocol.Series{
		Labels: labelsV2(series.LabelsRefs, symbols),
		Metadata: &protocol.Metadata{
			Type: int32(series.Metadata.Type),
			Help: symbols[series.Metadata.HelpRef],
			Unit: symbols[series.Metadata.UnitRef],
		},
	}
	for _, sample := range series.Samples {
		result.Samples = append(result.Samples, protocol.Sample{
			Value: protocol.Bits(sample.Value), Time: sample.Timestamp, Start: sample.StartTimestamp,
		})
	}
	for _, histogram := range series.Histograms {
		result.Histograms = append(result.Histograms, protocol.Histogram{
			Schema:        histogram.Schema,
			Count:         histogram.GetCountInt(),
			Sum:           protocol.Bits(histogram.Sum),
			ZeroThreshold: protocol.Bits(histogram.ZeroThreshold),
			ZeroCount:     histogram.GetZeroCountInt(),
			Positive:      side(histogram.PositiveSpans, spanV2, histogram.PositiveDeltas),
			Negative:      side(histogram.NegativeSpans, spanV2, histogram.NegativeDeltas),
			CustomValues:  bits(histogram.CustomValues),
			ResetHint:     int32(histogram.ResetHint),
			Time:          histogram.Timestamp,
			Start:         histogram.StartTimestamp,
		})
	}
	for _, exemplar := range series.Exemplars {
		result.Exemplars = append(result.Exemplars, protocol.Exemplar{
			Labels: labelsV2(exemplar.LabelsRefs, symbols),
			Value:  protocol.Bits(exemplar.Value),
			Time:   exemplar.Timestamp,
		})
	}
	return result
}

func labelsV2(references []uint32, symbols []string) [][2]string {
	pairs := make([][2]string, 0, len(references)/2)
	for i := 0; i+1 < len(references); i += 2 {
		pairs = append(pairs, [2]string{symbols[references[i]], symbols[references[i+1]]})
	}
	return pairs
}

func spanV1(span prompb.BucketSpan) [2]int64 { return [2]int64{int64(span.Offset), int64(span.Length)} }

func spanV2(span writev2.BucketSpan) [2]int64 {
	return [2]int64{int64(span.Offset), int64(span.Length)}
}

func side[Span any](spans []Span, pair func(Span) [2]int64, deltas []int64) protocol.Side {
	result := protocol.Side{Deltas: deltas}
	for _, span := range spans {
		result.Spans = append(result.Spans, pair(span))
	}
	return result
}

func bits(values []float64) []protocol.Bits {
	result := make([]protocol.Bits, 0, len(values))
	for _, value := range values {
		result = append(result, protocol.Bits(value))
	}
	return result
}
