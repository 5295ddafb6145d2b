package collector

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

const endpoint = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"

// read reads the section of an exporter, as the Collector does.
func read(t *testing.T, text string) (*Config, error) {
	t.Helper()
	section := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &section); err != nil {
		t.Fatal(err)
	}
	config := createDefaultConfig().(*Config)
	if err := confmap.NewFromStringMap(section).Unmarshal(config); err != nil {
		return config, err
	}
	return config, confmap.Validate(config)
}

func TestWhatCannotBeTakenIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		text  string
		wants []string
	}{
		"several at once": {`
endpoint: ` + endpoint + `
wal: {directory: /var/lib/wal}
delta: accumulate
compression: gzip`, []string{"wal: ", "sending_queue::storage", "delta: ", "deltatocumulative", "compression: gzip"}},
		"what the component refuses": {`
endpoint: ` + endpoint + `
protobuf_message: prometheus.WriteRequest
translation_strategy: NoTranslation
max_sample_age: -1s
external_labels: {"": nothing}`, []string{"translation_strategy: ", "max_sample_age: ", "external_labels"}},
		"no endpoint":          {`timeout: 3s`, []string{"endpoint"}},
		"two who authenticate": {"endpoint: " + endpoint + "\nauth: {authenticator: sigv4auth}\nsigv4: {region: eu-west-1}", []string{"auth and sigv4"}},
		"two queues":           {"endpoint: " + endpoint + "\nremote_write_queue: {}\nsending_queue: {}", []string{"the same queue"}},
		"a queue without room": {"endpoint: " + endpoint + "\nremote_write_queue: {queue_size: 0}", []string{"queue_size must be greater than 0"}},
		"a role without name":  {"endpoint: " + endpoint + "\nsigv4: {assume_role: {external_id: x}}", []string{"arn is missing"}},
		"no region":            {"endpoint: http://127.0.0.1/api/v1/write\nsigv4: {}", []string{"sigv4::region: "}},
		"a field of its own":   {"endpoint: " + endpoint + "\ninclude_metadata_keys: [x-amz-date]", []string{"x-amz-date"}},
		"a header of its own":  {"endpoint: " + endpoint + "\nheaders: {Content-Type: text/plain}", []string{"headers::Content-Type"}},
		"old and new labels": {"endpoint: " + endpoint + "\nresource_to_telemetry_conversion: {enabled: true}\nresource_constant_labels: {included: [a]}",
			[]string{"mean the same"}},
		"a key that is not there": {"endpoint: " + endpoint + "\nadd_metric_sufixes: false", []string{"add_metric_sufixes"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, test.text)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("nothing of %q in: %v", want, err)
				}
			}
		})
	}
}

func TestSecretsAreInNoProblem(t *testing.T) {
	_, err := read(t, "endpoint: "+endpoint+"\nsigv4: {}\nheaders: {Authorization: Bearer hidden-value, Host: hidden-value}")
	if err == nil || strings.Contains(err.Error(), "hidden-value") {
		t.Fatal(err)
	}
}

// A section of prometheusremotewrite with all keys that it has but for the write-ahead log.
const stock = `
endpoint: ` + endpoint + `
timeout: 7s
namespace: shop
headers: {X-Team: shop, User-Agent: mine/1}
auth: {authenticator: sigv4auth}
tls: {min_version: "1.3"}
external_labels: {cluster: a}
remote_write_queue: {enabled: true, queue_size: 77, num_consumers: 5}
retry_on_failure: {enabled: true, initial_interval: 100ms, multiplier: 3, max_interval: 10s, max_elapsed_time: 0}
resource_to_telemetry_conversion: {enabled: true, exclude_service_attributes: true}
target_info: {enabled: false}
disable_scope_info: true
add_metric_suffixes: false
send_metadata: true
max_batch_size_bytes: 500000
max_batch_request_parallelism: 3
protobuf_message: prometheus.WriteRequest
include_metadata_keys: [x-tenant]
convert_explicit_histograms_to_nhcb: false
keep_classic_histograms: false
`

func TestTheKeysOfPrometheusremotewriteReachTheComponent(t *testing.T) {
	config, err := read(t, stock)
	if err != nil {
		t.Fatal(err)
	}
	text, err := config.forComponent()
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{
		"endpoint": endpoint, "namespace": "shop", "headers": map[string]any{"X-Team": "shop"}, "user_agent": "mine/1",
		"external_labels":                  map[string]any{"cluster": "a"},
		"resource_to_telemetry_conversion": map[string]any{"enabled": true, "exclude_service_attributes": true},
		"target_info":                      map[string]any{"enabled": false}, "disable_scope_info": true, "add_metric_suffixes": false,
		"send_metadata": true, "max_batch_size_bytes": 500000.0, "protobuf_message": "prometheus.WriteRequest",
		"convert_explicit_histograms_to_nhcb": false, "keep_classic_histograms": false,
		"retry_on_failure": map[string]any{"initial_interval_ms": 100.0, "multiplier": 3.0, "max_interval_ms": 10000.0},
	}
	if !reflect.DeepEqual(given, wanted) {
		t.Errorf("given: %v\nwanted: %v", given, wanted)
	}
	if config.HTTP.Timeout != 7*time.Second || config.Queue.Get().QueueSize != 77 || config.consumers() != 1 {
		t.Errorf("%+v", config)
	}
	if warnings := config.warnings(); len(warnings) != 2 {
		t.Errorf("%q", warnings)
	}
}

func TestTheClientMayHaveASectionOfItsOwn(t *testing.T) {
	config, err := read(t, "http: {endpoint: '"+endpoint+"', headers: {X-Team: shop}}\ntimeout: 9s\nsigv4: {}\nscope_info: {enabled: true}\n"+
		"metadata_interval: 90s\nsending_queue: {num_consumers: 4}")
	if err != nil {
		t.Fatal(err)
	}
	text, err := config.forComponent()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"sigv4":{"region":"eu-west-1","service":"aps"}`, `"otel_scope_info":{"enabled":true}`, `"metadata_interval_ms":90000`, `"X-Team"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing of %q in %s", want, text)
		}
	}
	if config.HTTP.Timeout != 9*time.Second || config.consumers() != 4 || len(config.warnings()) != 1 {
		t.Errorf("%+v %q", config, config.warnings())
	}
}

func TestPausesAreThoseOfTheFile(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"{}":               4 * time.Second,
		"{enabled: false}": -1,
		"{max_interval: 1s, max_elapsed_time: 1s}": time.Second,
		"{max_elapsed_time: 0}":                    4 * time.Second,
		"{max_elapsed_time: 10m}":                  4 * time.Second,
	} {
		config, err := read(t, "endpoint: "+endpoint+"\nretry_on_failure: "+text)
		if err != nil || config.patience() != want {
			t.Errorf("%s: %v, not %v (%v)", text, config.patience(), want, err)
		}
	}
}
