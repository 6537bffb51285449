// A Go program with goroutines, a server and a client.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

func web() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"path": strings.ToUpper(r.URL.Path)})
	}))
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 40; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			response, err := http.Get(fmt.Sprintf("http://%s/pearl/%d", listener.Addr(), i))
			if err != nil {
				panic(err)
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			lock.Lock()
			total += len(body)
			lock.Unlock()
		}(i)
	}
	group.Wait()
	fmt.Println("net/http:", total)
}

func goroutines() {
	numbers := make(chan int)
	sums := make(chan int)
	for worker := 0; worker < 8; worker++ {
		go func() {
			sum := 0
			for n := range numbers {
				sum += n
				runtime.Gosched()
			}
			sums <- sum
		}()
	}
	for n := 0; n < 10000; n++ {
		numbers <- n
	}
	close(numbers)
	total := 0
	for worker := 0; worker < 8; worker++ {
		total += <-sums
	}
	fmt.Println("goroutines:", total)
}

func memory() {
	var kept [][]byte
	for i := 0; i < 200; i++ {
		kept = append(kept[max(0, len(kept)-10):], make([]byte, 1<<20))
		kept[len(kept)-1][i] = 1
	}
	runtime.GC()
	fmt.Println("memory:", len(kept))
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func nilPointer() {
	defer func() { fmt.Println("recover:", recover()) }()
	var pointer *struct{ field int }
	fmt.Println(pointer.field)
}

func main() {
	start := time.Now()
	goroutines()
	web()
	memory()
	nilPointer()
	os.WriteFile("/tmp/file", []byte("pearl"), 0o600)
	text, err := os.ReadFile("/tmp/file")
	fmt.Printf("sha256: %x %v\n", sha256.Sum256(text), err)
	time.Sleep(10 * time.Millisecond)
	fmt.Println("time passes:", time.Since(start) > 10*time.Millisecond)
}
