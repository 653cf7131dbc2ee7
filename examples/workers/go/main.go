// A worker in Go: takes commands of the target `printer` from an orchestrator, prints each, and says what became of it.
//
// ORCHESTRATOR_URL says where the server is. SIGTERM ends it after what it has begun. A printer that must not print
// twice remembers ids: a command may come again, always with the same one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	target = "printer"
	atOnce = 10
	wait   = "20s"
	lease  = 10 * time.Second
)

// Command is what a rule decided. There is more in it: see the page about targets.
type Command struct {
	ID   string `json:"id"`
	Name string `json:"command"`
	Key  string `json:"key"`
	Args struct {
		Text  string `json:"text"`
		Pages int    `json:"pages"`
	} `json:"args"`
}

// Leased is a command that is ours for a while. The token says so to the server.
type Leased struct {
	ID      string  `json:"id"`
	Token   string  `json:"token"`
	Attempt int     `json:"attempt"`
	Command Command `json:"command"`
}

// finalError is of what will never succeed: it is not tried again.
type finalError string

func (err finalError) Error() string { return string(err) }

// do is the work: printing. A page takes 100 ms.
func do(ctx context.Context, command Command) (any, error) {
	if command.Args.Pages < 1 {
		return nil, finalError(fmt.Sprintf("%d pages cannot be printed", command.Args.Pages))
	}
	select {
	case <-time.After(time.Duration(command.Args.Pages) * 100 * time.Millisecond):
	case <-ctx.Done():
		return nil, errors.New("the lease was lost")
	}
	fmt.Printf("%s %s\n", command.ID, command.Args.Text)
	return map[string]int{"pages": command.Args.Pages}, nil
}

func main() {
	stopping, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	door := newDoor(os.Getenv("ORCHESTRATOR_URL"))
	var busy sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for stopping.Err() == nil {
		free <- struct{}{} // one place at least; then all that are there
		room := 1
		for room < atOnce && reserve(free) {
			room++
		}
		taken, err := take(stopping, door, room)
		if err != nil && stopping.Err() == nil {
			log.Printf("no work: %v", err)
		}
		if len(taken) == 0 && stopping.Err() == nil {
			time.Sleep(pause(2)) // a server that is away or stops answers at once
		}
		for _, leased := range taken {
			busy.Add(1)
			go func(leased Leased) {
				defer busy.Done()
				defer func() { <-free }()
				work(door, leased)
			}(leased)
		}
		for range room - len(taken) {
			<-free
		}
	}
	busy.Wait()
}

func reserve(free chan struct{}) bool {
	select {
	case free <- struct{}{}:
		return true
	default:
		return false
	}
}

// take leases up to so many commands, and waits for the first.
func take(ctx context.Context, door *door, limit int) ([]Leased, error) {
	var answer struct {
		Commands []Leased `json:"commands"`
	}
	asked := map[string]any{"target": target, "limit": limit, "lease": lease.String(), "wait": wait, "worker": "go"}
	err := door.post(ctx, "lease", asked, &answer)
	return answer.Commands, err
}

// work does one command under its lease, which it keeps for as long as that takes, and says what became of it.
func work(door *door, leased Leased) {
	ctx, lost := context.WithCancel(context.Background())
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		keep(ctx, door, leased, lost)
	}()
	result, err := do(ctx, leased.Command)
	lost()
	<-kept
	path, said := "ack", map[string]any{"token": leased.Token, "worker": "go"}
	if err != nil {
		var final finalError
		path, said["reason"], said["final"] = "fail", err.Error(), errors.As(err, &final)
	} else {
		said["result"] = result
	}
	if err := door.insist(fmt.Sprintf("%s/%s", leased.ID, path), said, lease); err != nil {
		log.Printf("%s: %v", leased.ID, err) // it comes again when its lease runs out, or did already
	}
}

// keep prolongs the lease before half of it is over, until the work ends. It calls lost if another has the command.
func keep(ctx context.Context, door *door, leased Leased, lost func()) {
	ticker := time.NewTicker(lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			said := map[string]any{"token": leased.Token, "lease": lease.String()}
			var problem *Problem
			if err := door.post(ctx, leased.ID+"/extend", said, &json.RawMessage{}); errors.As(err, &problem) && problem.Status == 409 {
				lost()
				return
			}
		}
	}
}
