package preamp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// How much of the body of an answer is looked at, in bytes.
const answerBytes = 1 << 10

// passage is one payload on its way (resource `passage` of the contract).
type passage struct {
	instance *instance
	handle   uint32
}

// The cases of `step`.
const (
	stepSend = iota
	stepKey
	stepWait
	stepDone
)

// step is what is to be done next.
type step struct {
	kind    byte
	request Request
	key     KeyRequest
	pause   time.Duration
	outcome *Outcome
}

func instant(now time.Time) uint64 { return uint64(now.UnixNano()) }

func (s *slot) pass(ctx context.Context, payload []byte, contentType, contentEncoding string, now time.Time) (*passage, error) {
	arguments := s.instance.arguments(ctx)
	arguments.number(uint64(s.handle))
	arguments.bytes(payload)
	arguments.text(contentType)
	arguments.text(contentEncoding)
	arguments.number(instant(now))
	handle, err := s.instance.call("[method]exporter.pass", arguments)
	return &passage{instance: s.instance, handle: handle}, err
}

func (p *passage) arguments(ctx context.Context) *flat {
	arguments := p.instance.arguments(ctx)
	arguments.number(uint64(p.handle))
	return arguments
}

func (p *passage) next(ctx context.Context, now time.Time) (step, error) {
	arguments := p.arguments(ctx)
	arguments.number(instant(now))
	var next step
	err := p.instance.read("[method]passage.next", arguments, func(result *record) {
		next.kind = result.byte(0)
		switch next.kind {
		case stepSend:
			next.request = Request{Method: result.text(8), URL: result.text(16), Headers: readHeaders(result, 24), Body: result.bytes(32)}
		case stepKey:
			next.key = KeyRequest{
				Date: result.text(8), Region: result.text(16), Service: result.text(24), IsRefused: result.byte(32) != 0,
			}
		case stepWait:
			next.pause = time.Duration(result.uint64(8)) * time.Millisecond
		case stepDone:
			outcome := record{memory: result.memory, address: result.address + 8}
			next.outcome = readOutcome(&outcome)
			result.err = outcome.err
		default:
			result.err = fmt.Errorf("the component wants step %d, which this module does not know", next.kind)
		}
	})
	return next, err
}

func (p *passage) giveKey(ctx context.Context, key *SigningKey, now time.Time) error {
	arguments := p.arguments(ctx)
	if key == nil {
		arguments.values = append(arguments.values, make([]uint64, 14)...)
	} else {
		arguments.number(1)
		arguments.text(key.AccessKeyID)
		arguments.optional(key.SessionToken)
		arguments.bytes(key.Derived)
		arguments.text(key.Date)
		arguments.text(key.Region)
		arguments.text(key.Service)
	}
	arguments.number(instant(now))
	_, err := p.instance.call("[method]passage.give-key", arguments)
	return err
}

func (p *passage) answered(ctx context.Context, response Response, now time.Time) error {
	arguments := p.arguments(ctx)
	arguments.number(uint64(response.Status))
	arguments.headers(response.Headers)
	arguments.bytes(response.Body)
	arguments.number(instant(now))
	_, err := p.instance.call("[method]passage.answered", arguments)
	return err
}

func (p *passage) giveUp(ctx context.Context) (*Outcome, error) {
	var outcome *Outcome
	err := p.instance.read("[method]passage.give-up", p.arguments(ctx), func(result *record) { outcome = readOutcome(result) })
	return outcome, err
}

func (p *passage) close(ctx context.Context) error {
	_, err := p.instance.call("[dtor]passage", p.arguments(ctx))
	return err
}

func readHeaders(result *record, offset uint32) []Header {
	var headers []Header
	result.list(offset, 16, func(header *record) {
		headers = append(headers, Header{Name: header.text(0), Value: header.text(8)})
	})
	return headers
}

func readOutcome(result *record) *Outcome {
	outcome := &Outcome{
		Status:         int(result.uint16(0)),
		Headers:        readHeaders(result, 4),
		Body:           result.bytes(12),
		Delivered:      result.uint64(24),
		PartlyRejected: result.uint64(32),
		Rejected:       result.uint64(40),
		Unsettled:      result.uint64(48),
	}
	result.list(56, 28, func(explanation *record) {
		outcome.Explanations = append(outcome.Explanations, Explanation{
			Reason: explanation.text(0), Detail: explanation.text(8), Remedy: explanation.text(16),
		})
	})
	return outcome
}

// bringToItsEnd does what the passage wants, until it is done or patience is.
func (e *Exporter) bringToItsEnd(ctx context.Context, passage *passage) (*Outcome, error) {
	patience := e.options.Patience
	for {
		next, err := passage.next(ctx, e.options.Clock())
		if err != nil {
			return nil, err
		}
		switch next.kind {
		case stepSend:
			response := e.send(ctx, next.request)
			err = passage.answered(ctx, response, e.options.Clock())
		case stepKey:
			err = passage.giveKey(ctx, e.key(ctx, next.key), e.options.Clock())
		case stepWait:
			patience -= next.pause
			if patience < 0 || !e.sleep(ctx, next.pause) {
				return passage.giveUp(context.WithoutCancel(ctx))
			}
		case stepDone:
			return next.outcome, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// key is the key that is wanted, if there is one now. Why there is none is for the log of whoever gives keys.
func (e *Exporter) key(ctx context.Context, wanted KeyRequest) *SigningKey {
	if e.options.Keys == nil {
		return nil
	}
	key, err := e.options.Keys(ctx, wanted)
	if err != nil {
		return nil
	}
	return key
}

func (e *Exporter) send(ctx context.Context, wanted Request) Response {
	response, err := e.exchange(ctx, wanted)
	if err != nil {
		return Response{Body: []byte(err.Error())}
	}
	return response
}

func (e *Exporter) exchange(ctx context.Context, wanted Request) (Response, error) {
	request, err := http.NewRequestWithContext(ctx, wanted.Method, wanted.URL, bytes.NewReader(wanted.Body))
	if err != nil {
		return Response{}, err
	}
	for _, header := range wanted.Headers {
		if strings.EqualFold(header.Name, "host") {
			request.Host = header.Value
		} else {
			request.Header.Set(header.Name, header.Value)
		}
	}
	answer, err := e.options.Client.Do(request)
	if err != nil {
		return Response{}, err
	}
	defer answer.Body.Close()
	// The beginning says what is wrong; the rest is read so that the connection can be used again.
	body, err := io.ReadAll(io.LimitReader(answer.Body, answerBytes))
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 64*answerBytes))
	}
	if err != nil {
		return Response{}, err
	}
	response := Response{Status: answer.StatusCode, Body: body}
	for name, values := range answer.Header {
		for _, value := range values {
			response.Headers = append(response.Headers, Header{Name: strings.ToLower(name), Value: value})
		}
	}
	return response, nil
}

// sleep waits, unless ctx or all pausing ends.
func (e *Exporter) sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-e.hurry:
		return false
	}
}
