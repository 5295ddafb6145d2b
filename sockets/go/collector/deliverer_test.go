package collector

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	preamp "preamp.dev/sockets/go"
)

func TestOutcomesAreErrorsOfTheCollector(t *testing.T) {
	again := []preamp.Header{{Name: "retry-after", Value: "3"}}
	for name, test := range map[string]struct {
		outcome   preamp.Outcome
		isError   bool
		permanent bool
		throttled bool
	}{
		"delivered":             {outcome: preamp.Outcome{Status: 200, Delivered: 2}},
		"nothing in it":         {outcome: preamp.Outcome{Status: 200}},
		"rejected in part":      {outcome: preamp.Outcome{Status: 200, Delivered: 2, Rejected: 1}},
		"stored in part":        {outcome: preamp.Outcome{Status: 200, PartlyRejected: 2, Rejected: 1}},
		"rejected":              {outcome: preamp.Outcome{Status: 200, Rejected: 3}, isError: true, permanent: true},
		"no payload":            {outcome: preamp.Outcome{Status: 400}, isError: true, permanent: true},
		"too large":             {outcome: preamp.Outcome{Status: 413}, isError: true, permanent: true},
		"later":                 {outcome: preamp.Outcome{Status: 503, Unsettled: 3}, isError: true},
		"later, at a time":      {outcome: preamp.Outcome{Status: 503, Headers: again}, isError: true, throttled: true},
		"later, half delivered": {outcome: preamp.Outcome{Status: 503, Delivered: 1, Unsettled: 1, Headers: again}, isError: true, throttled: true},
	} {
		err := classify(&test.outcome)
		throttled := err != nil && strings.HasPrefix(err.Error(), "Throttle (3s)")
		if (err != nil) != test.isError || consumererror.IsPermanent(err) != test.permanent || throttled != test.throttled {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// gauges is a payload of so many points of now.
func gauges(points int) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	gauge := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	gauge.SetName("power")
	data := gauge.SetEmptyGauge().DataPoints()
	for index := range points {
		point := data.AppendEmpty()
		point.SetDoubleValue(1)
		point.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
		point.Attributes().PutInt("index", int64(index))
		point.Attributes().PutStr("filler", strings.Repeat("x", 100))
	}
	return metrics
}

func start(t *testing.T, text string) *deliverer {
	t.Helper()
	config, err := read(t, text)
	if err != nil {
		t.Fatal(err)
	}
	deliverer, err := newDeliverer(config, exportertest.NewNopSettings(Type))
	if err != nil {
		t.Fatal(err)
	}
	if err := deliverer.start(context.Background(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := deliverer.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return deliverer
}

func TestAPayloadThatFailsAnInstanceCostsNoOther(t *testing.T) {
	var requests atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		answer.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	deliverer := start(t, "endpoint: "+receiver.URL+"/api/v1/write\ninstance_memory_bytes: 16777216")
	for index, points := range []int{1, 60_000, 1} {
		err := deliverer.push(context.Background(), gauges(points))
		if fails := points > 1; fails != (err != nil) || fails != consumererror.IsPermanent(err) || fails != errors.Is(err, preamp.ErrInstance) {
			t.Errorf("payload %d: %v", index, err)
		}
	}
	if requests.Load() != 2 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	receiver := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer receiver.Close()
	deliverer := start(t, "endpoint: "+receiver.URL+"/api/v1/write\nretry_on_failure: {enabled: false}")
	if err := deliverer.push(context.Background(), gauges(1)); err == nil || elsewhere.Load() != 0 {
		t.Errorf("%v, and %d requests went elsewhere", err, elsewhere.Load())
	}
}

// When shutting down begins, nobody waits for a receiver that is away.
func TestShuttingDownEndsPauses(t *testing.T) {
	var requests atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		answer.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer receiver.Close()
	deliverer := start(t, "endpoint: "+receiver.URL+"/api/v1/write\nretry_on_failure: {initial_interval: 3s, max_interval: 3s}")
	time.AfterFunc(200*time.Millisecond, deliverer.stopPausing)
	started := time.Now()
	for range 3 {
		if err := deliverer.push(context.Background(), gauges(1)); err == nil || consumererror.IsPermanent(err) {
			t.Error(err)
		}
	}
	if passed := time.Since(started); passed > 2*time.Second || requests.Load() != 3 {
		t.Errorf("%v, %d requests", passed, requests.Load())
	}
}
