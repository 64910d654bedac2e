// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package pagetest

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

const (
	block     = 20   // Pixels of a screenshot that are one of its golden file: fonts differ.
	tolerance = 24   // By which the gray of a block may differ, of 255,
	different = 0.06 // and the share of the blocks that may differ more.
)

// The page looks as it did. UPDATE_GOLDEN=1 rewrites testdata.
func TestPage_Look(t *testing.T) {
	for _, tt := range []struct {
		name string
		html string
	}{
		{name: "linked", html: write(t, orders(50))},
		{name: "broken", html: write(t, broken(50))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shot, err := ScreenshotOf(browser, address(t, tt.html), "figure")
			if err != nil {
				t.Fatal(err)
			}
			whole, err := png.Decode(bytes.NewReader(shot))
			if err != nil {
				t.Fatal(err)
			}
			got := coarse(whole)
			file := filepath.Join("testdata", tt.name+".png")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				writePNG(t, file, got)
			}
			want := readPNG(t, file)
			if share := difference(got, want); share > different {
				actual := filepath.Join(t.ArtifactDir(), tt.name+".png")
				if err := os.WriteFile(actual, shot, 0o600); err != nil {
					t.Error(err)
				}
				t.Errorf("%.0f%% of the page differ, want at most %.0f%%: see %s", 100*share, 100*different, actual)
			}
		})
	}
}

// coarse returns the mean gray of each block of whole.
func coarse(whole image.Image) *image.Gray {
	size := whole.Bounds()
	small := image.NewGray(image.Rect(0, 0, size.Dx()/block, size.Dy()/block))
	for i := range small.Pix {
		x, y, sum := i%small.Stride*block, i/small.Stride*block, 0
		for n := range block * block {
			gray, _ := color.GrayModel.Convert(whole.At(size.Min.X+x+n%block, size.Min.Y+y+n/block)).(color.Gray)
			sum += int(gray.Y)
		}
		small.Pix[i] = uint8(sum / (block * block)) //nolint:gosec // A mean of bytes is a byte.
	}
	return small
}

// difference returns the share of the blocks that differ.
func difference(a, b *image.Gray) float64 {
	if a.Bounds() != b.Bounds() {
		return 1
	}
	differ := 0
	for i := range a.Pix {
		if d := int(a.Pix[i]) - int(b.Pix[i]); d > tolerance || d < -tolerance {
			differ++
		}
	}
	return float64(differ) / float64(len(a.Pix))
}

func writePNG(t *testing.T, file string, picture image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readPNG(t *testing.T, file string) *image.Gray {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	gray, ok := picture.(*image.Gray)
	if !ok {
		t.Fatalf("%s is a %T, want a gray picture", file, picture)
	}
	return gray
}
