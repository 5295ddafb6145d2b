// Package serve is what the peers of the benchmark share: how they are asked, and what is done with
// an encoded request.
//
// A peer serves one payload file. Each line on standard input holds a number of repetitions; the
// answer is one line of JSON with the mean of those repetitions in processor time of the whole
// process: what Go's garbage collector and scheduler use is in it, whichever thread they run on. The
// collector runs at its default pace (GOGC=100). Run it with GOMAXPROCS=1, so that nothing is spent on
// sharing work between cores.
package serve

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/golang/snappy"
)

// Result is what became of one payload.
type Result struct {
	// Bytes is the size of all request bodies.
	Bytes int `json:"bytes"`
	// Encoded is their size before compression.
	Encoded int `json:"encoded"`
	// Series is the number of time series in them.
	Series int `json:"series"`
	// Requests is the number of bodies.
	Requests int `json:"requests"`
}

type answer struct {
	// NanosecondsPerPayload is the mean over the repetitions.
	NanosecondsPerPayload int64 `json:"ns"`
	Result
}

// Payload reads a payload and answers for it until standard input ends.
func Payload(path string, export func(payload []byte) (Result, error)) error {
	payload, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the OTLP payload: %w", err)
	}
	output := json.NewEncoder(os.Stdout)
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		repetitions, err := strconv.Atoi(input.Text())
		if err != nil || repetitions < 1 {
			return fmt.Errorf("expected a number of repetitions, got %q", input.Text())
		}
		var result Result
		start := processorTime()
		for range repetitions {
			if result, err = export(payload); err != nil {
				return err
			}
		}
		elapsed := processorTime() - start
		if err := output.Encode(answer{elapsed.Nanoseconds() / int64(repetitions), result}); err != nil {
			return err
		}
	}
	return nil
}

// processorTime is what the process has used so far, in user and system mode.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // It fails only for a wrong argument.
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Body makes request bodies. It keeps its buffer from one to the next, as exporters do.
type Body struct {
	compressed []byte
	digest     [sha256.Size]byte
}

// Add compresses an encoded request of so many series and hashes it, as signing needs.
func (b *Body) Add(result *Result, encoded []byte, series int) {
	if room := snappy.MaxEncodedLen(len(encoded)); cap(b.compressed) < room {
		b.compressed = make([]byte, room)
	}
	body := snappy.Encode(b.compressed[:cap(b.compressed)], encoded)
	b.digest = sha256.Sum256(body)
	result.Bytes += len(body)
	result.Encoded += len(encoded)
	result.Series += series
	result.Requests++
}
