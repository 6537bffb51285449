// The same for Go, whose runtime makes its own system calls.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

func main() {
	var sum int
	var lock sync.Mutex
	var all sync.WaitGroup
	for i := 0; i < 50; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for j := 0; j < 100; j++ {
				lock.Lock()
				sum += i
				lock.Unlock()
				runtime.Gosched()
			}
			time.Sleep(time.Millisecond)
		}(i)
	}
	all.Wait()
	fmt.Println("sum", sum)
	runtime.GC()
	_, err := os.Open("/there/is/no/such/file")
	fmt.Println(err)
	out, err := exec.Command("/bin/echo", "from", "a child").CombinedOutput()
	fmt.Printf("%s%v\n", out, err)
	fmt.Fprintln(os.Stderr, os.Getppid())
	os.Exit(42)
}
