// Command conformance delivers payloads that come as lines of JSON, and prints what became of each: so the tests of all
// sockets drive this one.
//
//	conformance CONFIGURATION.json < {"payload": BASE64, "contentType": TEXT, "contentEncoding": TEXT}
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	preamp "preamp.dev/sockets/go"
)

// result is what the drivers of all sockets print.
type result struct {
	Status         int    `json:"status"`
	Body           []byte `json:"body"`
	Delivered      uint64 `json:"delivered"`
	PartlyRejected uint64 `json:"partlyRejected"`
	Rejected       uint64 `json:"rejected"`
	Unsettled      uint64 `json:"unsettled"`
	RetryAfter     bool   `json:"retryAfter"`
}

type line struct {
	Payload         []byte `json:"payload"`
	ContentType     string `json:"contentType"`
	ContentEncoding string `json:"contentEncoding"`
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: conformance CONFIGURATION.json")
	}
	configuration, err := os.ReadFile(arguments[0])
	if err != nil {
		return err
	}
	exporter, err := preamp.Open(ctx, string(configuration), preamp.Options{Keys: preamp.EnvironmentKeys})
	if err != nil {
		return err
	}
	defer exporter.Close(ctx)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var one line
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return err
		}
		outcome, err := exporter.Deliver(ctx, one.Payload, one.ContentType, one.ContentEncoding)
		if err != nil {
			return err
		}
		printed := result{
			outcome.Status, outcome.Body, outcome.Delivered, outcome.PartlyRejected, outcome.Rejected, outcome.Unsettled,
			outcome.RetryAfter() > 0,
		}
		if err := output.Encode(printed); err != nil {
			return err
		}
	}
	return lines.Err()
}
