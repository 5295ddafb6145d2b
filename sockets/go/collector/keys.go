package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"go.uber.org/zap"

	preamp "preamp.dev/sockets/go"
)

// How long fetching credentials may take.
const credentialsTimeout = 30 * time.Second

// keys derives signing keys of credentials of the AWS SDK, which are fetched when a key is wanted first.
type keys struct {
	signing SigV4
	region  string
	logger  *zap.Logger

	mutex    sync.Mutex
	provider aws.CredentialsProvider
}

// derive is a preamp.Keys.
func (k *keys) derive(ctx context.Context, wanted preamp.KeyRequest) (*preamp.SigningKey, error) {
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	credentials, err := k.retrieve(ctx, wanted.IsRefused)
	if err != nil {
		k.logger.Warn("there are no AWS credentials to sign with", zap.Error(err))
		return nil, err
	}
	return preamp.DeriveKey(wanted, credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken), nil
}

func (k *keys) retrieve(ctx context.Context, isRefused bool) (aws.Credentials, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if isRefused || k.provider == nil {
		// Anew, since the SDK reads files once, and keeps what it was given until it expires by the local clock.
		provider, err := k.load(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		k.provider = provider
	}
	return k.provider.Retrieve(ctx)
}

// load is the chain of the AWS SDK, and the role behind it.
func (k *keys) load(ctx context.Context) (aws.CredentialsProvider, error) {
	role := k.signing.AssumeRole
	region := role.STSRegion
	if region == "" {
		region = k.region
	}
	options := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(region)}
	if k.signing.Profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(k.signing.Profile))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("the configuration of AWS cannot be read: %w", err)
	}
	switch {
	case role.ARN == "":
		return loaded.Credentials, nil
	case role.WebIdentityTokenFile != "":
		token := stscreds.IdentityTokenFile(role.WebIdentityTokenFile)
		return aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(loaded), role.ARN, token,
			func(options *stscreds.WebIdentityRoleOptions) { options.RoleSessionName = role.SessionName })), nil
	default:
		return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(loaded), role.ARN,
			func(options *stscreds.AssumeRoleOptions) {
				options.RoleSessionName = role.SessionName
				if role.ExternalID != "" {
					options.ExternalID = &role.ExternalID
				}
			})), nil
	}
}
