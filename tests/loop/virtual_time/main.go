// What a Go program sees of time when it runs in virtual time: each mode prints a line that two runs with one seed share, and fails where a time is wrong.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"sync"
	"time"
)

const day = 24 * time.Hour

func fail(format string, arguments ...any) {
	fmt.Printf("wrong: "+format+"\n", arguments...)
	os.Exit(1)
}

// A day in steps of a minute, none of them late.
func sleep() string {
	start := time.Now()
	for i := 1; i <= 24*60; i++ {
		time.Sleep(time.Minute)
		if late := time.Since(start) - time.Duration(i)*time.Minute; late < 0 || late > 2*time.Millisecond*time.Duration(i) {
			fail("after %d minutes of sleep the clock is off by %v", i, late)
		}
	}
	return "slept"
}

// A hundred tickers of ten seconds for a day.
func tickers() string {
	var group sync.WaitGroup
	var mutex sync.Mutex
	var latest time.Duration
	for range 100 {
		group.Add(1)
		go func() {
			defer group.Done()
			ticker := time.NewTicker(10 * time.Second)
			for range 8640 {
				at := <-ticker.C
				late := time.Since(at)
				mutex.Lock()
				latest = max(latest, late)
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
	if latest > time.Millisecond {
		fail("a tick came %v late", latest)
	}
	return "864000 ticks"
}

// Timers fire in the order of their deadlines.
func timers() string {
	random := rand.New(rand.NewSource(1))
	fired := make(chan time.Duration)
	start := time.Now()
	for range 200 {
		after := time.Duration(random.Int63n(int64(day)))
		time.AfterFunc(after, func() { fired <- after })
	}
	var order []time.Duration
	for range 200 {
		after := <-fired
		if late := time.Since(start) - after; late < 0 || late > 2*time.Millisecond {
			fail("a timer of %v fired %v late", after, late)
		}
		order = append(order, after)
	}
	if !sort.SliceIsSorted(order, func(a, b int) bool { return order[a] < order[b] }) {
		fail("timers out of order")
	}
	return "200 timers"
}

// Long polls of up to a minute against a server in the same process, given up after 54 seconds.
func http1() string {
	server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		select {
		case <-time.After(time.Duration(rand.Intn(60)) * time.Second):
			fmt.Fprintln(writer, "ok")
		case <-request.Context().Done():
		}
	}))
	polls, given := 0, 0
	for start := time.Now(); time.Since(start) < day; polls++ {
		ctx, cancel := context.WithTimeout(context.Background(), 54*time.Second)
		request, _ := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
		began := time.Now()
		response, err := http.DefaultClient.Do(request)
		took := time.Since(began)
		if err != nil {
			given++
			if took < 54*time.Second || took > 54*time.Second+10*time.Millisecond {
				fail("a poll was given up after %v", took)
			}
		} else {
			response.Body.Close()
			if took >= 54*time.Second+10*time.Millisecond {
				fail("a poll took %v", took)
			}
		}
		cancel()
	}
	if given == 0 || given == polls {
		fail("%d of %d polls given up", given, polls)
	}
	return fmt.Sprintf("%d polls, %d given up", polls, given)
}

// Order of maps, of ready channels, of goroutines behind a lock: the run's, not the machine's.
func order() string {
	numbers := map[int]bool{}
	for i := range 100 {
		numbers[i] = true
	}
	hash := uint64(1469598103934665603)
	mix := func(n int) { hash = (hash ^ uint64(n)) * 1099511628211 }
	for n := range numbers {
		mix(n)
	}
	one, two := make(chan int, 100), make(chan int, 100)
	for i := range 100 {
		one <- i
		two <- 100 + i
	}
	for range 200 {
		select {
		case n := <-one:
			mix(n)
		case n := <-two:
			mix(n)
		}
	}
	var mutex sync.Mutex
	var group sync.WaitGroup
	for i := range 100 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 100 {
				time.Sleep(time.Duration(rand.Intn(1000)) * time.Microsecond)
				mutex.Lock()
				mix(i)
				mutex.Unlock()
			}
		}()
	}
	group.Wait()
	return fmt.Sprintf("order %016x", hash)
}

// Work that collects garbage while the clock stands still.
func garbage() string {
	kept := make([][]byte, 1000)
	for i := range 200_000 {
		kept[i%1000] = make([]byte, 10_000)
		if i%1000 == 0 {
			time.Sleep(time.Second)
		}
	}
	return "collected"
}

func main() {
	modes := map[string]func() string{"sleep": sleep, "tickers": tickers, "timers": timers, "http": http1, "order": order, "garbage": garbage}
	fmt.Println(modes[os.Args[1]]())
}
