package preamp

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"
)

// A body of more bytes stands in the vectors as its digest.
const bodyMax = 4 << 10

// vector is a line of sockets/conformance/vectors.jsonl.
type vector struct {
	Name          string
	Configuration string
	Problems      [][2]string
	Calls         []call
}

// call is one of a passage, with the fields that it has.
type call struct {
	Call            string
	At              int64
	Payload         []byte
	ContentType     string
	ContentEncoding string
	Key             *struct{ AccessKeyID, SecretAccessKey, SessionToken, Date, Region, Service string }
	Status          int
	Headers         [][2]string
	Body            []byte
	Expect          any
}

// The vectors of sockets/conformance. No network is needed.
func TestVectors(t *testing.T) {
	file, err := os.Open("../conformance/vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	same, count := 0, 0
	for ; lines.Scan(); count++ {
		var one vector
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		if err := one.replay(context.Background()); err != nil {
			t.Errorf("%s: %v", one.Name, err)
		} else {
			same++
		}
	}
	if lines.Err() != nil || count == 0 {
		t.Fatalf("%d vectors, and then: %v", count, lines.Err())
	}
	fmt.Printf("%d of %d\n", same, count)
}

// replay makes the calls of a vector, all for the passage that was begun last, and says what is not as expected.
func (v *vector) replay(ctx context.Context) error {
	problems := [][2]string{}
	options := Options{MemoryBytes: defaultMemoryBytes}
	exporter, opened := &Exporter{configuration: v.Configuration, options: options}, &slot{}
	if err := exporter.open(ctx, opened); err != nil {
		var refused *ConfigurationError
		if !errors.As(err, &refused) {
			return err
		}
		for _, problem := range refused.Problems {
			problems = append(problems, [2]string{problem.Path, problem.Message})
		}
	} else {
		defer opened.instance.module.Close(ctx)
	}
	if !reflect.DeepEqual(v.Problems, problems) {
		return fmt.Errorf("problems: expected %q, not %q", v.Problems, problems)
	}
	var current *passage
	for number, call := range v.Calls {
		if err := call.make(ctx, opened, &current); err != nil {
			return fmt.Errorf("call %d%w", number, err)
		}
	}
	return nil
}

func (c *call) make(ctx context.Context, opened *slot, current **passage) (err error) {
	at := time.UnixMilli(c.At)
	var said any
	switch c.Call {
	case "pass":
		if *current != nil {
			if err := (*current).close(ctx); err != nil {
				return err
			}
		}
		*current, err = opened.pass(ctx, c.Payload, c.ContentType, c.ContentEncoding, at)
	case "next":
		var next step
		next, err = (*current).next(ctx, at)
		said = shown(next)
	case "give-key":
		var key *SigningKey
		if k := c.Key; k != nil {
			wanted := KeyRequest{Date: k.Date, Region: k.Region, Service: k.Service}
			key = DeriveKey(wanted, k.AccessKeyID, k.SecretAccessKey, k.SessionToken)
		}
		err = (*current).giveKey(ctx, key, at)
	case "answered":
		response := Response{Status: c.Status, Body: c.Body}
		for _, header := range c.Headers {
			response.Headers = append(response.Headers, Header{header[0], header[1]})
		}
		err = (*current).answered(ctx, response, at)
	case "give-up":
		var outcome *Outcome
		outcome, err = (*current).giveUp(ctx)
		said = shown(step{kind: stepDone, outcome: outcome})
	default:
		err = fmt.Errorf(": there is no call %q", c.Call)
	}
	if err != nil || c.Expect == nil {
		return err
	}
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	var parsed any
	if err := json.Unmarshal(text, &parsed); err != nil {
		return err
	}
	return difference(c.Expect, parsed, "")
}

// shown is a step as it stands in the vectors.
func shown(next step) any {
	switch next.kind {
	case stepSend:
		sent := map[string]any{"method": next.request.Method, "url": next.request.URL, "headers": pairs(next.request.Headers)}
		if body := next.request.Body; len(body) <= bodyMax {
			sent["body"] = body
		} else {
			digest := sha256.Sum256(body)
			sent["sha256"], sent["length"] = hex.EncodeToString(digest[:]), len(body)
		}
		return map[string]any{"send": sent}
	case stepKey:
		key := next.key
		return map[string]any{"key": map[string]any{
			"date": key.Date, "region": key.Region, "service": key.Service, "isRefused": key.IsRefused,
		}}
	case stepWait:
		return map[string]any{"wait": next.pause.Milliseconds()}
	default:
		outcome, explanations := next.outcome, []any{}
		for _, why := range outcome.Explanations {
			explanations = append(explanations, map[string]any{"reason": why.Reason, "detail": why.Detail, "remedy": why.Remedy})
		}
		return map[string]any{"done": map[string]any{
			"status": outcome.Status, "headers": pairs(outcome.Headers), "body": outcome.Body, "delivered": outcome.Delivered,
			"partlyRejected": outcome.PartlyRejected, "rejected": outcome.Rejected, "unsettled": outcome.Unsettled,
			"explanations": explanations,
		}}
	}
}

func pairs(headers []Header) [][2]string {
	pairs := [][2]string{}
	for _, header := range headers {
		pairs = append(pairs, [2]string{header.Name, header.Value})
	}
	return pairs
}

// difference says where two values of JSON differ first.
func difference(expected, said any, place string) error {
	if reflect.DeepEqual(expected, said) {
		return nil
	}
	switch expected := expected.(type) {
	case map[string]any:
		said, _ := said.(map[string]any)
		for key, value := range expected {
			if found := difference(value, said[key], place+"/"+key); found != nil && said[key] != nil {
				return found
			}
		}
	case []any:
		said, _ := said.([]any)
		for index := range min(len(expected), len(said)) {
			if found := difference(expected[index], said[index], fmt.Sprintf("%s/%d", place, index)); found != nil {
				return found
			}
		}
	}
	return fmt.Errorf("%s: expected %v, not %v", place, expected, said)
}
