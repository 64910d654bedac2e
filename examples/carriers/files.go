// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"os"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// WriteManifest writes manifest, a JSON object that describes a data set, to a file,
// with the context of ctx.
func WriteManifest(ctx context.Context, name string, manifest []byte) error {
	propagation.InjectTextMap(ctx, carriers.JSON(&manifest), propagation.WithoutBaggage())
	return os.WriteFile(name, manifest, 0o600)
}

// ReadManifest returns the manifest in a file, and its context. A data set outlives
// its trace, so its reader should link to the context: see propagation.Start.
func ReadManifest(name string) (manifest []byte, remote propagation.Remote, err error) {
	manifest, err = os.ReadFile(name)
	return manifest, propagation.ReadTextMap(carriers.JSON(&manifest)), err
}
