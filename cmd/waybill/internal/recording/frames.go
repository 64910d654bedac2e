// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package recording

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/waybill-go/waybill/internal/flow"
)

// The file exporter of a collector writes each message behind its size if it writes
// protobuf, or compresses: then each message is compressed by itself.
// https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
const sizeBytes = 4

// isFramed reports whether a file that begins with head is such a file.
func isFramed(head []byte) bool {
	if len(head) <= sizeBytes || head[0] == resourceField { // A message without its size.
		return false
	}
	size, message := binary.BigEndian.Uint32(head), head[sizeBytes:]
	return size > 0 && size <= maxLine && (isZstd(message) || message[0] == '{' || message[0] == resourceField)
}

// splitFrames emits messages behind their sizes. A damage has the number of the message.
func splitFrames(text *bufio.Reader, emit func(*piece)) {
	for number := 1; ; number++ {
		message, err := readFrame(text)
		if errors.Is(err, io.EOF) {
			return
		}
		emit(&piece{line: number, text: message, err: err})
		if err != nil {
			return
		}
	}
}

func readFrame(source *bufio.Reader) ([]byte, error) {
	var size [sizeBytes]byte
	switch n, err := io.ReadFull(source, size[:]); {
	case n == 0:
		return nil, io.EOF
	case err != nil:
		return nil, errCut
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxLine {
		return nil, errFormat
	}
	text, err := appendFrom(nil, source, int(n))
	if err != nil {
		return nil, errCut
	}
	return text, nil
}

// messageSpans returns the spans of one message.
func messageSpans(text []byte) ([]flow.Span, error) {
	if isZstd(text) {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxLine))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		if text, err = d.DecodeAll(text, nil); err != nil {
			return nil, err
		}
	}
	if isText(text[:min(len(text), sniffed)]) {
		return spansOf(text)
	}
	return protobufSpans(text)
}

// isZstd reports whether text begins as RFC 8878 says.
func isZstd(text []byte) bool {
	return len(text) >= 4 && string(text[:4]) == "\x28\xb5\x2f\xfd"
}
