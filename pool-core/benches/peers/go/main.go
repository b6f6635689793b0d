// One cell of the comparison per line of input: `single|burst|across|bare THREADS PAIRS`.
// The answer is nanoseconds of CPU time per get+return pair, over all threads, and how many buffers were created.
//
// The shapes are those of ../shapes; each measuring goroutine is locked to a thread of its own, so that the CPU time
// of that thread is the goroutine's.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

const (
	bufferBytes     = 1024
	burst           = 64
	batchesInFlight = 4
	warmUpPairs     = 2048
	spins           = 20
)

var created int64

type peer interface {
	lend() *[]byte
	giveBack(*[]byte)
}

// syncPool is used as its documentation shows: a pointer to a slice, emptied by its user.
type syncPool struct{ pool sync.Pool }

func newSyncPool() *syncPool {
	return &syncPool{sync.Pool{New: func() any {
		atomic.AddInt64(&created, 1)
		buffer := make([]byte, 0, bufferBytes)
		return &buffer
	}}}
}

func (p *syncPool) lend() *[]byte {
	buffer := p.pool.Get().(*[]byte)
	*buffer = append((*buffer)[:0], 1)
	return buffer
}

func (p *syncPool) giveBack(buffer *[]byte) { p.pool.Put(buffer) }

// bare is no pool: a pointer out of nothing, to see what handing it over costs.
type bare struct{ buffer *[]byte }

func (p *bare) lend() *[]byte    { return p.buffer }
func (p *bare) giveBack(*[]byte) {}

func threadCPU() int64 {
	const clockThreadCPUTime = 3
	var time syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&time)), 0)
	if errno != 0 {
		panic(errno)
	}
	return time.Nano()
}

func single(p *syncPool, pairs int) {
	for i := 0; i < pairs; i++ {
		p.giveBack(p.lend())
	}
}

func bursts(p *syncPool, pairs int) {
	var held [burst]*[]byte
	for i := 0; i < pairs/burst; i++ {
		for j := range held {
			held[j] = p.lend()
		}
		for j := range held {
			p.giveBack(held[j])
		}
	}
}

// onOwnThread has each thread work for itself, all of them started together, warm.
func onOwnThread(threads, pairs int, work func(int)) float64 {
	var ready, done sync.WaitGroup
	var spent int64
	start := make(chan struct{})
	ready.Add(threads)
	done.Add(threads)
	for i := 0; i < threads; i++ {
		go func() {
			runtime.LockOSThread()
			defer done.Done() // the thread ends with its goroutine, which is locked to it
			work(warmUpPairs)
			ready.Done()
			<-start
			before := threadCPU()
			work(pairs)
			atomic.AddInt64(&spent, threadCPU()-before)
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
	return float64(spent) / float64(pairs*threads)
}

// across gets on one thread and returns on another; sending and waiting are outside of the timed sections.
func across[P peer](p P, pairs int) float64 {
	warmUp, batches := warmUpPairs/burst, (warmUpPairs+pairs)/burst
	full, empty := make(chan []*[]byte, batchesInFlight), make(chan []*[]byte, batchesInFlight)
	for i := 0; i < batchesInFlight; i++ {
		empty <- make([]*[]byte, 0, burst)
	}
	var done sync.WaitGroup
	var spent int64
	side := func(in, out chan []*[]byte, work func([]*[]byte) []*[]byte) {
		runtime.LockOSThread()
		defer done.Done()
		for i := 0; i < batches; i++ {
			batch := awaited(in)
			before := threadCPU()
			batch = work(batch)
			if i >= warmUp {
				atomic.AddInt64(&spent, threadCPU()-before)
			}
			out <- batch
		}
	}
	done.Add(2)
	go side(empty, full, func(batch []*[]byte) []*[]byte {
		for i := 0; i < burst; i++ {
			batch = append(batch, p.lend())
		}
		return batch
	})
	go side(full, empty, func(batch []*[]byte) []*[]byte {
		for _, buffer := range batch {
			p.giveBack(buffer)
		}
		return batch[:0]
	})
	done.Wait()
	return float64(spent) / float64((batches-warmUp)*burst)
}

// awaited asks again, and lets another thread run between two tries, instead of sleeping.
func awaited(in chan []*[]byte) []*[]byte {
	for i := 1; ; i++ {
		select {
		case batch := <-in:
			return batch
		default:
			if i%spins == 0 {
				syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
			}
		}
	}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var shape string
		var threads, pairs int
		if _, err := fmt.Sscan(lines.Text(), &shape, &threads, &pairs); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		runtime.GOMAXPROCS(threads)
		atomic.StoreInt64(&created, 0)
		pool := newSyncPool()
		var ns float64
		switch shape {
		case "single":
			ns = onOwnThread(threads, pairs, func(n int) { single(pool, n) })
		case "burst":
			ns = onOwnThread(threads, pairs, func(n int) { bursts(pool, n) })
		case "across":
			ns = across(pool, pairs)
		case "bare":
			buffer := make([]byte, 0, bufferBytes)
			ns = across(&bare{&buffer}, pairs)
		default:
			fmt.Fprintln(os.Stderr, "unknown shape", shape)
			os.Exit(2)
		}
		fmt.Println(ns, atomic.LoadInt64(&created))
	}
}
