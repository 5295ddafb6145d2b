// The second peer of the benchmark: VictoriaMetrics' OTLP stream parser with Prometheus naming, and
// what its agent does with the parsed series up to the point where they would be sent as remote
// write 1.0, with its own message and marshalling.
//
// It does a little less than the others: labels keep the order of the attributes, although remote
// write asks for sorted ones; job, instance and target_info are not made; an exponential histogram
// becomes a classic one.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"

	"github.com/VictoriaMetrics/VictoriaMetrics/lib/prompb"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/protoparser/opentelemetry/stream"
	"preamp.dev/tests/bench/serve"
)

// options make the parser's series as like the others' as it can: Prometheus naming, and of the
// resource only what identifies it.
var options = map[string]string{
	"opentelemetry.usePrometheusNaming":          "true",
	"opentelemetry.promoteAllResourceAttributes": "false",
	"opentelemetry.promoteResourceAttributes":    "service.name,service.namespace,service.instance.id",
	"opentelemetry.maxRequestSize":               "4GiB",
}

func main() {
	peer := peer{}
	flag.IntVar(&peer.maxBatchBytes, "max-batch-bytes", 3_000_000, "largest request body before compression")
	flag.Parse()
	if err := serveWith(&peer, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "vm-peer:", err)
		os.Exit(1)
	}
}

func serveWith(peer *peer, path string) error {
	for name, value := range options {
		if err := flag.Set(name, value); err != nil {
			return fmt.Errorf("-%s=%s: %w", name, value, err)
		}
	}
	stream.InitDecodeOptions()
	return serve.Payload(path, peer.export)
}

// peer keeps its buffers from payload to payload, as the agent does.
type peer struct {
	maxBatchBytes int
	encoded       []byte
	body          serve.Body
}

func (p *peer) export(payload []byte) (serve.Result, error) {
	var result serve.Result
	err := stream.ParseStream(bytes.NewReader(payload), "", nil,
		func(series []prompb.TimeSeries, _ []prompb.MetricMetadata) error {
			p.push(&result, series)
			return nil
		})
	return result, err
}

// push makes bodies of series.
func (p *peer) push(result *serve.Result, series []prompb.TimeSeries) {
	first, size := 0, 0
	for i := range series {
		added := sizeAtMost(&series[i])
		if size+added >= p.maxBatchBytes && i > first {
			p.encode(result, series[first:i])
			first, size = i, 0
		}
		size += added
	}
	p.encode(result, series[first:])
}

func (p *peer) encode(result *serve.Result, series []prompb.TimeSeries) {
	request := prompb.WriteRequest{Timeseries: series}
	p.encoded = request.MarshalProtobuf(p.encoded[:0])
	p.body.Add(result, p.encoded, len(series))
}

// sizeAtMost bounds the encoded size of a series: the message keeps its own count to itself.
func sizeAtMost(series *prompb.TimeSeries) int {
	const frame, sample, label = 10, 24, 12
	size := frame + sample*len(series.Samples)
	for i := range series.Labels {
		size += label + len(series.Labels[i].Name) + len(series.Labels[i].Value)
	}
	return size
}
