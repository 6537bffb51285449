"""What Python has for children: subprocess, and multiprocessing by all its start methods."""

import multiprocessing
import subprocess
import sys


def square(number):
    return number * number


def put(queue):
    for number in range(100):
        queue.put(number)


def count(value):
    for _ in range(1000):
        with value.get_lock():
            value.value += 1


def main():
    code = "import sys; print(sys.stdin.read().upper()); sys.exit(4)"
    child = subprocess.run([sys.executable, "-c", code], input="through a pipe", capture_output=True, text=True)
    print("subprocess:", child.stdout.strip(), child.returncode)
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(f"{method}:", sum(pool.map(square, range(20))))
    queue = multiprocessing.Queue()
    writers = [multiprocessing.Process(target=put, args=(queue,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    print("queue:", sum(queue.get() for _ in range(300)))
    for writer in writers:
        writer.join()
    value = multiprocessing.Value("i", 0)
    counters = [multiprocessing.Process(target=count, args=(value,)) for _ in range(3)]
    for counter in counters:
        counter.start()
    for counter in counters:
        counter.join()
    print("value:", value.value, [counter.exitcode for counter in counters])


if __name__ == "__main__":
    main()
