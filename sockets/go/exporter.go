// Package preamp delivers OTLP metrics to Amazon Managed Service for Prometheus, or to any other receiver of Prometheus
// remote write. It runs the component that all hosts of Preamp run, on wazero, without cgo.
//
//	exporter, err := preamp.Open(ctx, `{"endpoint": "https://…", "sigv4": {"region": "eu-west-1"}}`, preamp.Options{Keys: keys})
//	outcome, err := exporter.Deliver(ctx, payload, "application/x-protobuf", "")
package preamp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// defaultMemoryBytes is what a payload of the largest size needs.
const defaultMemoryBytes = 1 << 30

// Options are what an exporter needs beside its configuration. The zero value sends unsigned requests with a client of its
// own.
type Options struct {
	// Keys gives signing keys. It may be nil if the configuration does not sign.
	Keys Keys
	// Client sends; nil stands for one with a time-out of 5 seconds. It is copied, and the copy follows no redirect: a signature
	// is for one address.
	Client *http.Client
	// Patience bounds the pauses of one delivery together; 0 stands for 4 seconds, less than 0 for no pause at all. What is not
	// delivered then is to be handed in again.
	Patience time.Duration
	// Instances is how many deliveries may be under way at once; 0 stands for 1, which keeps their order.
	Instances int
	// MemoryBytes bounds the memory of one instance; 0 stands for 1 GiB, which a payload of the largest size needs.
	MemoryBytes uint32
	// Clock tells the time; nil stands for time.Now.
	Clock func() time.Time
}

// ErrInstance says that an instance of the component failed, such as for want of memory. That instance is gone, and the next
// delivery gets another one. The same payload may well fail again.
var ErrInstance = errors.New("an instance of the component failed")

// Keys derives the signing key that is wanted, with DeriveKey or where the secret is. An error says that there are no
// credentials now.
type Keys func(context.Context, KeyRequest) (*SigningKey, error)

// Exporter delivers payloads. It may be used from many goroutines.
type Exporter struct {
	configuration string
	options       Options
	slots         chan *slot
	hurry         chan struct{}
	hurryOnce     sync.Once
}

// slot is an instance with an open exporter, or room for one.
type slot struct {
	instance *instance
	handle   uint32
}

// Open opens an exporter from a configuration: JSON text, as the function `open` of the contract takes it.
//
// It fails with a *ConfigurationError that has every problem of the configuration at once.
func Open(ctx context.Context, configuration string, options Options) (*Exporter, error) {
	client := http.Client{Timeout: 5 * time.Second}
	if options.Client != nil {
		client = *options.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	options.Client = &client
	if options.Patience == 0 {
		options.Patience = 4 * time.Second
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.MemoryBytes == 0 {
		options.MemoryBytes = defaultMemoryBytes
	}
	exporter := &Exporter{configuration: configuration, options: options, hurry: make(chan struct{})}
	exporter.slots = make(chan *slot, max(options.Instances, 1))
	first := &slot{}
	if err := exporter.open(ctx, first); err != nil {
		return nil, err
	}
	exporter.slots <- first
	for len(exporter.slots) < cap(exporter.slots) {
		exporter.slots <- &slot{}
	}
	return exporter, nil
}

// open fills a slot.
func (e *Exporter) open(ctx context.Context, slot *slot) error {
	instance, err := newInstance(ctx, e.options.MemoryBytes)
	if err != nil {
		return err
	}
	arguments := instance.arguments(ctx)
	arguments.text(e.configuration)
	var problems []Problem
	err = instance.read("[static]exporter.open", arguments, func(result *record) {
		if result.byte(0) == 0 {
			slot.handle = result.uint32(4)
			return
		}
		result.list(4, 16, func(problem *record) {
			problems = append(problems, Problem{Path: problem.text(0), Message: problem.text(8)})
		})
	})
	if err == nil && problems != nil {
		err = &ConfigurationError{Problems: problems}
	}
	if err != nil {
		return errors.Join(err, instance.module.Close(ctx))
	}
	slot.instance = instance
	return nil
}

// Deliver brings a payload to its end. contentType and contentEncoding say what it is, as in the request that it came
// with: protobuf or JSON; gzip, deflate, zstd or nothing.
//
// An error says that ctx ended, or is an ErrInstance; the payload may be handed in again.
func (e *Exporter) Deliver(ctx context.Context, payload []byte, contentType, contentEncoding string) (*Outcome, error) {
	var taken *slot
	select {
	case taken = <-e.slots:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { e.slots <- taken }()
	if taken.instance == nil {
		if err := e.open(ctx, taken); err != nil {
			return nil, err
		}
	}
	passage, err := taken.pass(ctx, payload, contentType, contentEncoding, e.options.Clock())
	if err != nil {
		return nil, e.discard(taken, err)
	}
	outcome, err := e.bringToItsEnd(ctx, passage)
	if err != nil {
		return nil, e.discard(taken, err)
	}
	if err := passage.close(ctx); err != nil {
		// What was delivered is delivered.
		_ = e.discard(taken, err)
	}
	return outcome, nil
}

// discard gives up an instance: a call that failed may have left anything in its memory.
func (e *Exporter) discard(slot *slot, cause error) error {
	err := slot.instance.module.Close(context.Background())
	slot.instance = nil
	return errors.Join(fmt.Errorf("%w: %w", ErrInstance, cause), err)
}

// StopPausing ends all pauses, those of later deliveries too: what would be tried again after one is given up, and is to be
// handed in again. Before Close it spares waiting for a receiver that is away.
func (e *Exporter) StopPausing() {
	e.hurryOnce.Do(func() { close(e.hurry) })
}

// Close frees all instances. Deliveries that are under way come to their end first.
func (e *Exporter) Close(ctx context.Context) error {
	var problems []error
	for range cap(e.slots) {
		select {
		case slot := <-e.slots:
			if slot.instance != nil {
				problems = append(problems, slot.instance.module.Close(ctx))
			}
		case <-ctx.Done():
			return errors.Join(append(problems, ctx.Err())...)
		}
	}
	return errors.Join(problems...)
}
