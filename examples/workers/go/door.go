package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"strings"
	"time"
)

// Problem is how a server refuses.
type Problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func (problem *Problem) Error() string {
	return fmt.Sprintf("HTTP %d: %s", problem.Status, problem.Detail)
}

// door is where commands are had and answered for: the paths below /v1/commands/.
type door struct {
	url  string
	http *http.Client
}

func newDoor(url string) *door {
	if url == "" {
		url = "http://127.0.0.1:8000"
	}
	return &door{strings.TrimRight(url, "/") + "/v1/commands/", &http.Client{Timeout: 40 * time.Second}}
}

// post asks once.
func (door *door) post(ctx context.Context, path string, asked any, answer any) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, door.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := door.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		problem := &Problem{}
		if json.Unmarshal(content, problem) != nil || problem.Status == 0 {
			problem = &Problem{response.StatusCode, http.StatusText(response.StatusCode)}
		}
		return problem
	}
	return json.Unmarshal(content, answer)
}

// insist says something until it is stored or refused, for at most so long: said twice, it counts once.
func (door *door) insist(path string, said any, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := door.post(ctx, path, said, &json.RawMessage{})
		var problem *Problem
		refused := errors.As(err, &problem) && problem.Status < 500 && problem.Status != 429
		if err == nil || refused || ctx.Err() != nil {
			return err
		}
		time.Sleep(pause(attempt))
	}
}

// pause is a random time that may be longer after each attempt.
func pause(attempt int) time.Duration {
	longest := min(200*time.Millisecond<<min(attempt, 10), 5*time.Second)
	return time.Duration(rand.Int63n(int64(longest)))
}
