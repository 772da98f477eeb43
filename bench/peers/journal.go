// SPDX-License-Identifier: Apache-2.0
// journal.go - an append-only file of JSON lines, on disk before whoever awaits them goes on.
//
// Lines gather while the one flusher writes those before them, so that all that wait share the next flush. Lines that no
// request awaits join the next batch, or are flushed within flushEvery.
package main

import (
	"encoding/json"
	"os"
	"sync"
	"syscall"
	"time"
)

const flushEvery = 50 * time.Millisecond

type record struct {
	Time       time.Time `json:"time"`
	Event      string    `json:"event"` // intent, open, closed: the journal; audit: the audit trail
	Action     string    `json:"action,omitempty"`
	Session    string    `json:"session"`
	Credential string    `json:"credential_id"`
	User       string    `json:"user"`
	Request    string    `json:"request_id,omitempty"`
	Account    string    `json:"account,omitempty"`
	System     string    `json:"system,omitempty"`
}

type batch struct {
	lines []byte
	err   error
	done  chan struct{} // closed when err is final
}

// A nil journal keeps nothing: the peer without durability.
type journal struct {
	file  *os.File
	mutex sync.Mutex
	next  *batch
	wake  chan struct{} // of one place: a line of `next` is awaited
}

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, next: &batch{done: make(chan struct{})}, wake: make(chan struct{}, 1)}
	go j.flush()
	return j, nil
}

// take returns nil where no line waits.
func (j *journal) take() *batch {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if len(j.next.lines) == 0 {
		return nil
	}
	full := j.next
	j.next = &batch{done: make(chan struct{})}
	return full
}

func (j *journal) flush() {
	ticker := time.NewTicker(flushEvery)
	for {
		select {
		case <-j.wake:
		case <-ticker.C:
		}
		full := j.take()
		if full == nil {
			continue
		}
		if _, full.err = j.file.Write(full.lines); full.err == nil {
			full.err = syscall.Fdatasync(int(j.file.Fd()))
		}
		close(full.done)
	}
}

// add is for what no answer waits for.
func (j *journal) add(records ...record) (*batch, error) {
	var lines []byte
	for i := range records {
		line, err := json.Marshal(&records[i])
		if err != nil {
			return nil, err
		}
		lines = append(append(lines, line...), '\n')
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.next.lines = append(j.next.lines, lines...)
	return j.next, nil
}

// await returns when the records are on disk, or cannot be.
func (j *journal) await(records ...record) error {
	joined, err := j.add(records...)
	if err != nil {
		return err
	}
	select {
	case j.wake <- struct{}{}:
	default:
	}
	<-joined.done
	return joined.err
}
