// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// maxObjectMetadata is the limit of S3 for the bytes of keys and values.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html#UserMetadata
const maxObjectMetadata = 2048

// InjectS3 writes the context of ctx to the metadata of an object, as far as the
// limit leaves room, and removes a context that was copied from another object.
func InjectS3(ctx context.Context, object *s3.PutObjectInput) {
	fields := propagation.Encode(ctx, propagation.WithPolicy(propagation.Replace), propagation.WithoutBaggage())
	metadata := carriers.FoldedMap{}
	room := maxObjectMetadata
	for key, value := range object.Metadata {
		if !fields.Clears(key) {
			metadata[key] = value
			room -= len(key) + len(value)
		}
	}
	metadata.SetFields(fields.Shrink(max(room, 1)))
	object.Metadata = metadata
}

// ReadS3 returns the context in the metadata of an object, in any spelling of the
// keys. An object outlives its trace, so its reader should link to the context: see
// propagation.Start.
func ReadS3(object *s3.GetObjectOutput) propagation.Remote {
	return propagation.ReadTextMap(carriers.FoldedMap(object.Metadata))
}
