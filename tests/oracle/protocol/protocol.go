// Package protocol is what the oracles and the tests say to each other: one line of JSON for each
// request and for each answer.
package protocol

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"os"
)

// Request asks what becomes of a payload.
type Request struct {
	// Payload is an encoded ExportMetricsServiceRequest.
	Payload Hex `json:"payload"`
	// Options are those of a Preamp configuration; what shapes no output is passed over.
	Options Options `json:"options"`
}

// Options are the part of a Preamp configuration that shapes what is written. Their meaning and
// defaults are documented in its schema.
type Options struct {
	ProtobufMessage               string            `json:"protobuf_message"`
	Namespace                     string            `json:"namespace"`
	ExternalLabels                map[string]string `json:"external_labels"`
	AddMetricSuffixes             *bool             `json:"add_metric_suffixes"`
	TranslationStrategy           string            `json:"translation_strategy"`
	SendMetadata                  bool              `json:"send_metadata"`
	TargetInfo                    Switch            `json:"target_info"`
	ExportCreatedMetric           Switch            `json:"export_created_metric"`
	DisableScopeInfo              bool              `json:"disable_scope_info"`
	ConvertToNHCB                 bool              `json:"convert_explicit_histograms_to_nhcb"`
	KeepClassic                   bool              `json:"keep_classic_histograms"`
	KeepIdentifyingAttributes     bool              `json:"keep_identifying_resource_attributes"`
	ResourceToTelemetryConversion struct {
		Enabled                  bool `json:"enabled"`
		ExcludeServiceAttributes bool `json:"exclude_service_attributes"`
	} `json:"resource_to_telemetry_conversion"`
	ResourceConstantLabels struct {
		Included []string `json:"included"`
		Excluded []string `json:"excluded"`
	} `json:"resource_constant_labels"`
}

// Switch is a section with nothing but a switch, whose default is the caller's to know.
type Switch struct {
	Enabled *bool `json:"enabled"`
}

// Or is the switch, or its default.
func (s Switch) Or(usual bool) bool { return Or(s.Enabled, usual) }

// Or is the value, or its default.
func Or(value *bool, usual bool) bool {
	if value == nil {
		return usual
	}
	return *value
}

// Answer is what the translator made of a payload. Series stand in no order, what is in them in the
// order they were written.
type Answer struct {
	Series   []Series   `json:"series"`
	Metadata []Metadata `json:"metadata,omitempty"`
	// Error is what the translator complained of; the rest is what it translated nevertheless.
	Error string `json:"error,omitempty"`
}

// Series is a time series of either protocol.
type Series struct {
	Labels     [][2]string `json:"labels"`
	Samples    []Sample    `json:"samples,omitempty"`
	Histograms []Histogram `json:"histograms,omitempty"`
	Exemplars  []Exemplar  `json:"exemplars,omitempty"`
	// Metadata is set in 2.0 only.
	Metadata *Metadata `json:"metadata,omitempty"`
}

// Sample is a value, as its bits, and the time in milliseconds; Start, in 2.0 only, is since when it counts.
type Sample struct {
	Value Bits  `json:"value"`
	Time  int64 `json:"time"`
	Start int64 `json:"start,omitempty"`
}

// Histogram is a native histogram of integer counts.
type Histogram struct {
	Schema        int32  `json:"schema"`
	Count         uint64 `json:"count"`
	Sum           Bits   `json:"sum"`
	ZeroThreshold Bits   `json:"zero_threshold"`
	ZeroCount     uint64 `json:"zero_count"`
	Positive      Side   `json:"positive"`
	Negative      Side   `json:"negative"`
	CustomValues  []Bits `json:"custom_values,omitempty"`
	ResetHint     int32  `json:"reset_hint,omitempty"`
	Time          int64  `json:"time"`
	Start         int64  `json:"start,omitempty"`
}

// Side holds the buckets of a native histogram on one side of zero.
type Side struct {
	// Spans are pairs of offset and length.
	Spans  [][2]int64 `json:"spans,omitempty"`
	Deltas []int64    `json:"deltas,omitempty"`
}

// Exemplar is an exemplar, its labels in the order they were written.
type Exemplar struct {
	Labels [][2]string `json:"labels,omitempty"`
	Value  Bits        `json:"value"`
	Time   int64       `json:"time"`
}

// Metadata describes a metric family. The name is empty where it stands in a series.
type Metadata struct {
	Name string `json:"name,omitempty"`
	Type int32  `json:"type"`
	Help string `json:"help,omitempty"`
	Unit string `json:"unit,omitempty"`
}

// Bits is a double that stands in JSON as the sixteen digits of its bits, since JSON knows neither
// NaN nor its payload.
type Bits float64

// MarshalText writes the digits.
func (b Bits) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%016x", math.Float64bits(float64(b))), nil
}

// Hex are bytes that stand in JSON as hexadecimal digits.
type Hex []byte

// UnmarshalText reads the digits.
func (h *Hex) UnmarshalText(digits []byte) error {
	*h = make([]byte, hex.DecodedLen(len(digits)))
	_, err := hex.Decode(*h, digits)
	return err
}

// Serve answers the requests on standard input, one a line, until there are no more.
func Serve(name string, answer func(Request) (Answer, error)) {
	// The translators log what they overwrite; an answer holds all that is wanted.
	log.SetOutput(io.Discard)
	input := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	output := bufio.NewWriterSize(os.Stdout, 1<<20)
	lines := json.NewEncoder(output)
	lines.SetEscapeHTML(false)
	for {
		var request Request
		err := input.Decode(&request)
		if err == io.EOF {
			return
		}
		var result Answer
		if err == nil {
			result, err = answer(request)
		}
		if err == nil {
			err = lines.Encode(result)
		}
		// Whoever asks one by one waits; whoever asks many at once is answered in larger pieces.
		if err == nil && input.Buffered().(interface{ Len() int }).Len() <= 1 {
			err = output.Flush()
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
