// The peer of the benchmark: what the OpenTelemetry Collector's prometheusremotewrite exporter does
// with a payload, up to the point where it would be sent, with its own translator.
//
// It serves one payload file. Each line on standard input holds a number of repetitions; the answer
// is one line of JSON with the mean of those repetitions, garbage collection included. Run it with
// GOMAXPROCS=1 to compare single threads.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/golang/snappy"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/prometheusremotewrite"
	"github.com/prometheus/prometheus/prompb"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// settings are those of the Collector's exporter when nothing is configured.
var settings = prometheusremotewrite.Settings{AddMetricSuffixes: true}

// answer is what one line of standard output holds.
type answer struct {
	// NanosecondsPerPayload is the mean over the repetitions.
	NanosecondsPerPayload int64 `json:"ns"`
	// Bytes is the size of all request bodies of one payload.
	Bytes int `json:"bytes"`
	// Series is the number of time series in them.
	Series int `json:"series"`
	// Requests is the number of bodies.
	Requests int `json:"requests"`
}

func main() {
	maxBatchBytes := flag.Int("max-batch-bytes", 3_000_000, "largest request body before compression")
	flag.Parse()
	if err := serve(flag.Arg(0), *maxBatchBytes); err != nil {
		fmt.Fprintln(os.Stderr, "go-peer:", err)
		os.Exit(1)
	}
}

func serve(path string, maxBatchBytes int) error {
	payload, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the OTLP payload: %w", err)
	}
	peer := peer{maxBatchBytes: maxBatchBytes}
	output := json.NewEncoder(os.Stdout)
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		repetitions, err := strconv.Atoi(input.Text())
		if err != nil || repetitions < 1 {
			return fmt.Errorf("expected a number of repetitions, got %q", input.Text())
		}
		var result answer
		start := time.Now()
		for range repetitions {
			if result, err = peer.export(payload); err != nil {
				return err
			}
		}
		result.NanosecondsPerPayload = time.Since(start).Nanoseconds() / int64(repetitions)
		if err := output.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

// peer keeps its buffers from payload to payload, as the Collector's exporter does.
type peer struct {
	maxBatchBytes int
	encoded       []byte
	compressed    []byte
	digest        [sha256.Size]byte
}

// export turns one payload into request bodies and hashes each, as signing needs.
func (p *peer) export(payload []byte) (answer, error) {
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(payload)
	if err != nil {
		return answer{}, fmt.Errorf("unmarshal: %w", err)
	}
	series, err := prometheusremotewrite.FromMetrics(metrics, settings)
	if err != nil {
		return answer{}, fmt.Errorf("translate: %w", err)
	}
	result := answer{Series: len(series)}
	request := prompb.WriteRequest{Timeseries: make([]prompb.TimeSeries, 0, len(series))}
	size := 0
	flush := func() error {
		bytes, err := p.encode(&request)
		result.Bytes += bytes
		result.Requests++
		request.Timeseries = request.Timeseries[:0]
		size = 0
		return err
	}
	for _, one := range series {
		added := one.Size()
		if size+added >= p.maxBatchBytes && size > 0 {
			if err := flush(); err != nil {
				return answer{}, err
			}
		}
		request.Timeseries = append(request.Timeseries, *one)
		size += added
	}
	return result, flush()
}

// encode writes one request body, and returns its size.
func (p *peer) encode(request *prompb.WriteRequest) (int, error) {
	size := request.Size()
	if cap(p.encoded) < size {
		p.encoded = make([]byte, size)
	}
	written, err := request.MarshalToSizedBuffer(p.encoded[:size])
	if err != nil {
		return 0, fmt.Errorf("marshal: %w", err)
	}
	p.compressed = snappy.Encode(p.compressed[:cap(p.compressed)], p.encoded[:written])
	p.digest = sha256.Sum256(p.compressed)
	return len(p.compressed), nil
}
