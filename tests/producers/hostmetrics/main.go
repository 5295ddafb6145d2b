// Scrapes the machine with the Collector's hostmetrics receiver and sends what it made of it, as the Collector would
// with a resource processor that adds the host. Usage: hostmetrics ENDPOINT SCENARIO NAMESPACE; of the scenario only
// the number of exports counts, since what a machine measures cannot be played.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/receiver"
)

// What would tell of the machine that captured is left out.
var config = map[string]any{
	"collection_interval": "1s",
	"initial_delay":       "0s",
	"scrapers": map[string]any{
		"cpu":       map[string]any{"metrics": enabled("system.cpu.utilization")},
		"load":      map[string]any{},
		"memory":    map[string]any{"metrics": enabled("system.memory.utilization")},
		"network":   map[string]any{"include": map[string]any{"interfaces": []string{"lo"}, "match_type": "strict"}},
		"paging":    map[string]any{},
		"processes": map[string]any{},
		"process": map[string]any{
			"include": map[string]any{"names": []string{"hostmetrics"}, "match_type": "strict"},
			"metrics": enabled("process.context_switches", "process.threads"),
			"resource_attributes": map[string]any{
				"process.cgroup":          map[string]any{"enabled": false},
				"process.command":         map[string]any{"enabled": false},
				"process.command_line":    map[string]any{"enabled": false},
				"process.executable.path": map[string]any{"enabled": false},
				"process.owner":           map[string]any{"enabled": false},
				"process.parent_pid":      map[string]any{"enabled": false},
			},
		},
	},
}

func enabled(names ...string) map[string]any {
	metrics := map[string]any{}
	for _, name := range names {
		metrics[name] = map[string]any{"enabled": true}
	}
	return metrics
}

func main() {
	if len(os.Args) != 4 {
		fatal(fmt.Errorf("usage: hostmetrics ENDPOINT SCENARIO NAMESPACE"))
	}
	endpoint, scenario, namespace := os.Args[1], os.Args[2], os.Args[3]
	exports, err := numberOfExports(scenario)
	if err != nil {
		fatal(err)
	}
	if err := scrape(exports, func(metrics pmetric.Metrics) error { return send(endpoint, namespace, metrics) }); err != nil {
		fatal(err)
	}
	fmt.Printf(`{"sdk": "opentelemetry-collector-contrib hostmetrics", "version": %q, "supports": []}`+"\n", version())
}

func numberOfExports(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var scenario struct{ Exports []json.RawMessage }
	err = json.Unmarshal(text, &scenario)
	return len(scenario.Exports), err
}

// scrape hands on so many scrapes, one per second.
func scrape(count int, handOn func(pmetric.Metrics) error) error {
	ctx := context.Background()
	factory := hostmetricsreceiver.NewFactory()
	configuration := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(config).Unmarshal(configuration); err != nil {
		return err
	}
	results := make(chan error, count)
	sink, err := consumer.NewMetrics(func(_ context.Context, metrics pmetric.Metrics) error {
		err := handOn(metrics)
		select {
		case results <- err:
		default: // The receiver is on its way out.
		}
		return err
	})
	if err != nil {
		return err
	}
	settings := receiver.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	source, err := factory.CreateMetrics(ctx, settings, configuration, sink)
	if err != nil {
		return err
	}
	if err := source.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	for range count {
		if err := <-results; err != nil {
			return err
		}
	}
	return source.Shutdown(ctx)
}

func send(endpoint, namespace string, metrics pmetric.Metrics) error {
	for _, resource := range metrics.ResourceMetrics().All() {
		resource.Resource().Attributes().PutStr("host.name", "capture-host")
		resource.Resource().Attributes().PutStr("service.namespace", namespace)
	}
	body, err := pmetricotlp.NewExportRequestFromMetrics(metrics).MarshalProto()
	if err != nil {
		return err
	}
	answer, err := http.Post(endpoint, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the receiver answered %s", answer.Status)
	}
	return nil
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if strings.HasSuffix(module.Path, "/hostmetricsreceiver") {
			return module.Version
		}
	}
	return "unknown"
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
