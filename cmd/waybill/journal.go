// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/propagation"
)

// addJournalFlag adds the flag that names journals.
func addJournalFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringSliceVar(files, "journal", nil, "the `FILES` that programs have written for WAYBILL_JOURNAL, one of each process")
}

const (
	maxEntries   = 1_000_000
	maxEntrySize = 1 << 20
)

var (
	errNoEntry    = errors.New("no entry of a journal")
	errEntrySize  = errors.New("the line is longer than 1 MB")
	errNoJournal  = errors.New("no entry of a journal could be read")
	errMaxEntries = fmt.Errorf("only the first %s entries are used", flow.Count(maxEntries))
)

// readJournals reads journals. It reports damaged lines on standard error, and leaves
// them out.
func readJournals(cmd *cobra.Command, files []string) ([]propagation.JournalEntry, error) {
	var j journals
	for _, name := range expandJournals(files) {
		if err := j.readFile(name); err != nil {
			return nil, err
		}
	}
	for _, damage := range j.damaged {
		cmd.PrintErrln("waybill: damaged:", line(damage))
	}
	if left := j.damagedCount - len(j.damaged); left > 0 {
		cmd.PrintErrf("waybill: damaged: and %s\n", flow.Plural(left, "more place"))
	}
	return j.entries, nil
}

// expandJournals returns the files that names and patterns stand for.
func expandJournals(files []string) []string {
	if len(files) == 0 {
		return nil
	}
	return expand(files)
}

// journals is what was read of the journals of several processes.
type journals struct {
	entries      []propagation.JournalEntry
	last         uint64   // The number of the last entry.
	damaged      []string // The first damaged places.
	damagedCount int
}

func (j *journals) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	before := len(j.entries)
	if err := j.read(name, f); err != nil {
		return err
	}
	if len(j.entries) == before && len(j.entries) < maxEntries {
		return fmt.Errorf("%s: %w", name, errNoJournal)
	}
	return nil
}

// read reads the journal of a process. The numbers of processes are alike, so each entry
// gets another one.
func (j *journals) read(name string, r io.Reader) error {
	text := bufio.NewReaderSize(r, maxEntrySize)
	numbers := make(map[uint64]uint64)
	for n := 1; ; n++ {
		read, err := text.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			j.damage(name, n, errEntrySize)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = text.ReadSlice('\n')
			}
		case len(bytes.TrimSpace(read)) > 0:
			j.add(name, n, read, numbers)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (j *journals) add(name string, n int, text []byte, numbers map[uint64]uint64) {
	var e propagation.JournalEntry
	err := json.Unmarshal(text, &e)
	switch {
	case err != nil:
	case e.Action == "":
		err = errNoEntry
	case len(j.entries) == maxEntries:
		err = errMaxEntries
	}
	if err != nil {
		j.damage(name, n, err)
		return
	}
	j.last++
	numbers[e.Number], e.Number = j.last, j.last
	for i, number := range e.Extractions {
		e.Extractions[i] = numbers[number]
	}
	j.entries = append(j.entries, e)
}

func (j *journals) damage(name string, n int, err error) {
	j.damagedCount++
	if len(j.damaged) < shownDamages {
		j.damaged = append(j.damaged, fmt.Sprintf("%s:%d: %v", name, n, err))
	}
}
