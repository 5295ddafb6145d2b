package collector

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Config is the section of the exporter in a file of the Collector.
type Config struct {
	// ClientConfig has the keys of the HTTP client at the top level, where most files have them.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
	// HTTP has the same keys in a section of their own, which wins as a whole.
	HTTP confighttp.ClientConfig `mapstructure:"http"`
	// SigV4 signs requests in the component. Absent: they are not signed, or by the extension that `auth` names.
	SigV4 configoptional.Optional[SigV4] `mapstructure:"sigv4"`

	Retry configretry.BackOffConfig                                `mapstructure:"retry_on_failure"`
	Queue configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	// RemoteWriteQueue is the queue by its name in prometheusremotewrite.
	RemoteWriteQueue *RemoteWriteQueue `mapstructure:"remote_write_queue"`
	// MaxBatchRequestParallelism changes nothing: see warnings.
	MaxBatchRequestParallelism *int `mapstructure:"max_batch_request_parallelism"`
	// WAL is refused: see Validate.
	WAL map[string]any `mapstructure:"wal"`

	// IncludeMetadataKeys are names of metadata of incoming requests that are sent on as header fields.
	IncludeMetadataKeys []string `mapstructure:"include_metadata_keys"`
	// InstanceMemoryBytes bounds the memory of one instance of the component; 0 stands for 1 GiB.
	InstanceMemoryBytes uint32 `mapstructure:"instance_memory_bytes"`

	Options Options `mapstructure:",squash"`
}

// RemoteWriteQueue is the section remote_write_queue of prometheusremotewrite.
type RemoteWriteQueue struct {
	Enabled   *bool `mapstructure:"enabled"`
	QueueSize *int  `mapstructure:"queue_size"`
	// NumConsumers changes nothing: see warnings.
	NumConsumers *int `mapstructure:"num_consumers"`
}

// SigV4 says how requests are signed. It has the keys of the extension sigv4auth, and `profile`.
type SigV4 struct {
	// Region is told from the endpoint if that is AMP's.
	Region string `mapstructure:"region"`
	// Service is aps if it is left out.
	Service string `mapstructure:"service"`
	// Profile is one of the files that AWS' tools share.
	Profile    string     `mapstructure:"profile"`
	AssumeRole AssumeRole `mapstructure:"assume_role"`
}

// AssumeRole says whose credentials sign.
type AssumeRole struct {
	ARN         string `mapstructure:"arn"`
	SessionName string `mapstructure:"session_name"`
	// STSRegion is the region of SigV4 if it is left out.
	STSRegion            string `mapstructure:"sts_region"`
	ExternalID           string `mapstructure:"external_id"`
	WebIdentityTokenFile string `mapstructure:"web_identity_token_file"`
}

// The defaults of prometheusremotewrite.
const (
	defaultTimeout         = 5 * time.Second
	defaultInitialInterval = 50 * time.Millisecond
	defaultQueueSize       = 10_000
)

func createDefaultConfig() component.Config {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = defaultTimeout
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval = defaultInitialInterval
	queue := exporterhelper.NewDefaultQueueConfig()
	queue.QueueSize = defaultQueueSize
	// One payload after the other.
	queue.NumConsumers = 1
	return &Config{ClientConfig: client, HTTP: client, Retry: retry, Queue: configoptional.Some(queue)}
}

// Unmarshal reads the section, and brings keys that may stand in two places to one of them.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := conf.Unmarshal(c); err != nil {
		return err
	}
	if conf.IsSet("http") {
		if conf.IsSet("timeout") && !conf.IsSet("http::timeout") {
			c.HTTP.Timeout = c.ClientConfig.Timeout
		}
	} else {
		c.HTTP = c.ClientConfig
	}
	c.ClientConfig = confighttp.ClientConfig{}
	if conf.IsSet("remote_write_queue") && conf.IsSet("sending_queue") {
		return errors.New("remote_write_queue and sending_queue are the same queue: keep one of them")
	}
	return c.takeRemoteWriteQueue()
}

func (c *Config) takeRemoteWriteQueue() error {
	named := c.RemoteWriteQueue
	if named == nil {
		return nil
	}
	if named.Enabled != nil && !*named.Enabled {
		c.Queue = configoptional.None[exporterhelper.QueueBatchConfig]()
		return nil
	}
	if named.QueueSize != nil {
		if *named.QueueSize <= 0 {
			return errors.New("remote_write_queue::queue_size must be greater than 0: a queue without room drops everything")
		}
		c.Queue.Get().QueueSize = int64(*named.QueueSize)
	}
	return nil
}

// Validate reports every problem at once, those that the component finds among them.
func (c *Config) Validate() error {
	problems := []error{c.Options.validate()}
	if c.WAL != nil {
		problems = append(problems, errors.New("wal: this exporter has no write-ahead log of its own. A queue on disk is that "+
			"of the Collector: name the extension file_storage in sending_queue::storage"))
	}
	if compression := c.HTTP.Compression; compression != "" && compression != "snappy" {
		problems = append(problems, fmt.Errorf("compression: %s is refused: remote write is always compressed with snappy. "+
			"Leave the key out", compression))
	}
	if c.HTTP.Auth.HasValue() && c.SigV4.HasValue() {
		problems = append(problems, errors.New("auth and sigv4 would both sign or authenticate a request: keep one of them"))
	}
	if signing := c.SigV4.Get(); signing != nil && signing.AssumeRole.ARN == "" && signing.AssumeRole != (AssumeRole{}) {
		problems = append(problems, errors.New("sigv4::assume_role::arn is missing, and the other keys of assume_role need it"))
	}
	for _, name := range c.IncludeMetadataKeys {
		if isReserved(name) {
			problems = append(problems, fmt.Errorf("include_metadata_keys: the exporter sets the header field %s itself", name))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return c.tryComponent()
}

// isReserved says whether a header field is the exporter's own. (Remote write 1.0 and 2.0, "Protocol"; AWS Signature Version 4.)
func isReserved(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	reserved := []string{
		"Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Host", "User-Agent", "X-Prometheus-Remote-Write-Version",
	}
	return slices.Contains(reserved, name) || strings.HasPrefix(name, "X-Amz-")
}

// warnings says which keys of prometheusremotewrite are taken and change nothing.
func (c *Config) warnings() []string {
	const order = " changes nothing: the requests of a payload are sent one after the other, so that each series keeps its order. " +
		"sending_queue::num_consumers greater than 1 has several payloads under way at once"
	var warnings []string
	if c.MaxBatchRequestParallelism != nil {
		warnings = append(warnings, "max_batch_request_parallelism"+order)
	}
	if c.RemoteWriteQueue != nil && c.RemoteWriteQueue.NumConsumers != nil {
		warnings = append(warnings, "remote_write_queue::num_consumers"+order)
	}
	if c.consumers() > 1 {
		warnings = append(warnings, "sending_queue::num_consumers is greater than 1: payloads overtake each other, and receivers "+
			"refuse samples out of order beyond their window")
	}
	if isAMP(c.HTTP.Endpoint) && !c.SigV4.HasValue() && !c.HTTP.Auth.HasValue() {
		warnings = append(warnings, "AMP takes signed requests only: set sigv4, or name the extension sigv4auth in auth")
	}
	return warnings
}

// consumers is how many payloads may be under way at once.
func (c *Config) consumers() int {
	if queue := c.Queue.Get(); queue != nil {
		return queue.NumConsumers
	}
	return 1
}

// patience is how long the pauses within one attempt of the Collector may be together.
func (c *Config) patience() time.Duration {
	const most = 4 * time.Second
	switch {
	case !c.Retry.Enabled:
		return -1
	case c.Retry.MaxElapsedTime > 0:
		return min(c.Retry.MaxElapsedTime, most)
	default:
		return most
	}
}
