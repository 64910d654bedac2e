// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import "github.com/waybill-go/waybill/propagation"

// ParseAnnotations is what the tests of package job_test see of this package.
func ParseAnnotations(content, prefix string) propagation.Remote {
	return config{annotationPrefix: prefix}.parseAnnotations(content)
}
