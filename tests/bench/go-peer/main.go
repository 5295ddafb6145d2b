// The peer of the benchmark: what the OpenTelemetry Collector's prometheusremotewrite exporter does
// with a payload, up to the point where it would be sent, with its own translator and in its own way
// of cutting requests.
package main

import (
	"flag"
	"fmt"
	"os"
	"sort"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheusremotewrite"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"preamp.dev/tests/bench/serve"
)

// settings are those of the Collector's exporter when nothing is configured.
var settings = prometheusremotewrite.Settings{AddMetricSuffixes: true}

func main() {
	peer := peer{}
	flag.IntVar(&peer.maxBatchBytes, "max-batch-bytes", 3_000_000, "largest request body before compression")
	protocol := flag.String("protocol", "1.0", "of remote write: 1.0 or 2.0")
	flag.Parse()
	exports := map[string]func(pmetric.Metrics) (serve.Result, error){"1.0": peer.exportV1, "2.0": peer.exportV2}
	export, known := exports[*protocol]
	if !known {
		fmt.Fprintln(os.Stderr, "go-peer: there is no remote write", *protocol)
		os.Exit(2)
	}
	err := serve.Payload(flag.Arg(0), func(payload []byte) (serve.Result, error) {
		metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(payload)
		if err != nil {
			return serve.Result{}, fmt.Errorf("unmarshal: %w", err)
		}
		return export(metrics)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

// peer keeps its buffers from payload to payload, as the Collector's exporter does.
type peer struct {
	maxBatchBytes int
	encoded       []byte
	body          serve.Body
}

func (p *peer) exportV1(metrics pmetric.Metrics) (serve.Result, error) {
	series, err := prometheusremotewrite.FromMetrics(metrics, settings)
	if err != nil {
		return serve.Result{}, fmt.Errorf("translate: %w", err)
	}
	var result serve.Result
	err = cut(series, 0, p.maxBatchBytes, (*prompb.TimeSeries).Size, func(batch []prompb.TimeSeries) error {
		for i := range batch {
			samples := batch[i].Samples
			sort.Slice(samples, func(i, j int) bool { return samples[i].Timestamp < samples[j].Timestamp })
		}
		return p.encode(&result, &prompb.WriteRequest{Timeseries: batch}, len(batch))
	})
	return result, err
}

// exportV2 sends all symbols of the payload in each of its requests, as the exporter does.
func (p *peer) exportV2(metrics pmetric.Metrics) (serve.Result, error) {
	series, symbols, err := prometheusremotewrite.FromMetricsV2(metrics, settings)
	if err != nil {
		return serve.Result{}, fmt.Errorf("translate: %w", err)
	}
	symbolBytes := 0
	for _, symbol := range symbols.Symbols() {
		symbolBytes += len(symbol)
	}
	var result serve.Result
	err = cut(series, symbolBytes, p.maxBatchBytes, (*writev2.TimeSeries).Size, func(batch []writev2.TimeSeries) error {
		for i := range batch {
			samples := batch[i].Samples
			sort.Slice(samples, func(i, j int) bool { return samples[i].Timestamp < samples[j].Timestamp })
		}
		return p.encode(&result, &writev2.Request{Symbols: symbols.Symbols(), Timeseries: batch}, len(batch))
	})
	return result, err
}

// cut hands series on in batches that stay below a size, of which each has a fixed part.
func cut[S any](series map[string]*S, fixed, limit int, sizeOf func(*S) int, flush func([]S) error) error {
	batch := make([]S, 0, len(series))
	size := fixed
	for _, one := range series {
		added := sizeOf(one)
		if size+added >= limit && len(batch) > 0 {
			if err := flush(batch); err != nil {
				return err
			}
			batch = batch[:0]
			size = fixed
		}
		batch = append(batch, *one)
		size += added
	}
	return flush(batch)
}

type message interface {
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
}

// encode writes one request body.
func (p *peer) encode(result *serve.Result, request message, series int) error {
	size := request.Size()
	if cap(p.encoded) < size {
		p.encoded = make([]byte, size)
	}
	written, err := request.MarshalToSizedBuffer(p.encoded[:size])
	if err != nil {
		return fmt.Errorf("marshal: %w", err)
	}
	p.body.Add(result, p.encoded[:written], series)
	return nil
}
