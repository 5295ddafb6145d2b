package preamp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"os"
)

// DeriveKey derives the key that is wanted of a secret access key. (AWS Signature Version 4, "Derive a signing key".)
func DeriveKey(wanted KeyRequest, accessKeyID, secretAccessKey, sessionToken string) *SigningKey {
	key := []byte("AWS4" + secretAccessKey)
	for _, part := range []string{wanted.Date, wanted.Region, wanted.Service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return &SigningKey{
		AccessKeyID: accessKeyID, SessionToken: sessionToken, Derived: key,
		Date: wanted.Date, Region: wanted.Region, Service: wanted.Service,
	}
}

// EnvironmentKeys derives keys of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
func EnvironmentKeys(_ context.Context, wanted KeyRequest) (*SigningKey, error) {
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	if id == "" || secret == "" {
		return nil, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set in the environment")
	}
	return DeriveKey(wanted, id, secret, os.Getenv("AWS_SESSION_TOKEN")), nil
}
