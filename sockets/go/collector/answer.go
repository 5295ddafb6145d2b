package collector

import (
	"fmt"
	"net/http"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	preamp "preamp.dev/sockets/go"
)

// message is what the answer of an outcome says to a person. (OTLP specification, "OTLP/HTTP Response".)
func message(outcome *preamp.Outcome) string {
	if outcome.Status == http.StatusOK {
		answer := pmetricotlp.NewExportResponse()
		if err := answer.UnmarshalProto(outcome.Body); err != nil {
			return fmt.Sprintf("the answer of the component cannot be read: %v", err)
		}
		return answer.PartialSuccess().ErrorMessage()
	}
	answer := status.Status{}
	if err := proto.Unmarshal(outcome.Body, &answer); err != nil {
		return fmt.Sprintf("the answer of the component, with status %d, cannot be read: %v", outcome.Status, err)
	}
	return answer.GetMessage()
}
