package collector

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"

	preamp "preamp.dev/sockets/go"
)

// One scrape of the Collector's hostmetrics receiver, of 73 points.
const capture = "../../../tests/captures/hostmetrics/2.otlp"

func BenchmarkPush(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		answer.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	payload, err := os.ReadFile(capture)
	if err != nil {
		b.Fatal(err)
	}
	metrics, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(payload)
	if err != nil {
		b.Fatal(err)
	}
	config := createDefaultConfig().(*Config)
	config.HTTP.Endpoint = receiver.URL + "/api/v1/write"
	deliverer, err := newDeliverer(config, exportertest.NewNopSettings(Type))
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	if err := deliverer.start(ctx, componenttest.NewNopHost()); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = deliverer.shutdown(ctx) }()
	for b.Loop() {
		if err := deliverer.push(ctx, metrics); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(metrics.DataPointCount()), "points/op")
}

// BenchmarkOpen opens an exporter once the component is compiled.
func BenchmarkOpen(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		opened, err := preamp.Open(ctx, `{"endpoint": "http://127.0.0.1/api/v1/write"}`, preamp.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := opened.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
