package preamp

import (
	"fmt"
	"strings"
	"time"
)

// Header is a header field of HTTP.
type Header struct{ Name, Value string }

// Problem is what is wrong with a configuration.
type Problem struct {
	// Path is a JSON Pointer (RFC 6901) into the configuration.
	Path string
	// Message says what is wrong, for a person.
	Message string
}

// ConfigurationError has every problem of a configuration at once.
type ConfigurationError struct{ Problems []Problem }

func (e *ConfigurationError) Error() string {
	lines := make([]string, len(e.Problems))
	for index, problem := range e.Problems {
		lines[index] = strings.TrimSpace(problem.Path + " " + problem.Message)
	}
	return "the configuration cannot be used: " + strings.Join(lines, "; ")
}

// Request is a signed request to the receiver, to be sent as it is.
type Request struct {
	Method, URL string
	Headers     []Header
	Body        []byte
}

// Response is what the receiver answered. A status of 0 says that there was no answer.
type Response struct {
	Status  int
	Headers []Header
	Body    []byte
}

// KeyRequest says which signing key is wanted.
type KeyRequest struct {
	// Date is the UTC date, YYYYMMDD.
	Date, Region, Service string
	// IsRefused says that the receiver refused the credentials of the last key.
	IsRefused bool
}

// SigningKey is a key of AWS Signature Version 4, derived for one date, region and service. The secret that it is derived
// of never reaches the component.
type SigningKey struct {
	AccessKeyID string
	// SessionToken is empty but for temporary credentials.
	SessionToken string
	// Derived are 32 bytes. DeriveKey makes them.
	Derived               []byte
	Date, Region, Service string
}

// Explanation says why points were not taken, or why delivery does not go on.
type Explanation struct{ Reason, Detail, Remedy string }

func (e Explanation) String() string { return fmt.Sprintf("%s: %s; %s", e.Reason, e.Detail, e.Remedy) }

// Outcome is what became of a payload, in points, and the answer for its sender as OTLP/HTTP wants it.
type Outcome struct {
	Status  int
	Headers []Header
	Body    []byte
	// Delivered points are at the receiver.
	Delivered uint64
	// PartlyRejected are the points of requests that the receiver stored in part.
	PartlyRejected uint64
	// Rejected points are taken by nobody.
	Rejected uint64
	// Unsettled points are to be sent again.
	Unsettled    uint64
	Explanations []Explanation
}

// IsSettled says whether nothing of the payload is to be sent again.
func (o *Outcome) IsSettled() bool {
	return o.Status != 429 && o.Status != 502 && o.Status != 503 && o.Status != 504
}

// RetryAfter is how long the sender is asked to wait; 0 if it is not asked.
func (o *Outcome) RetryAfter() time.Duration {
	for _, header := range o.Headers {
		if strings.EqualFold(header.Name, "retry-after") {
			if after, err := time.ParseDuration(header.Value + "s"); err == nil {
				return after
			}
		}
	}
	return 0
}
