//! CPU-bound Python: the cost for a program that makes few system calls.

use anyhow::Result;

use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

/// Loops, calls, floats, dictionaries and strings; prints the seconds it took.
const PROGRAM: &str = "
import sys, time

def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps

def mandelbrot(size):
    inside = 0
    for y in range(size):
        for x in range(size):
            z, c = 0j, complex(3 * x / size - 2, 2 * y / size - 1)
            for _ in range(50):
                z = z * z + c
                if abs(z) > 2:
                    break
            else:
                inside += 1
    return inside

scale = float(sys.argv[1])
start = time.perf_counter()
words = {}
for i in range(int(600_000 * scale)):
    word = 'w%d' % (i % 5000)
    words[word] = words.get(word, 0) + collatz(i % 97 + 1) % 7
mandelbrot(int(200 * scale))
print(time.perf_counter() - start)
";

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.packages("python", "usr/bin/python3")?;
    let scale = if bench.is_quick { "0.05" } else { "1" };
    for _ in 0..bench.rounds(5) {
        for side in Side::BOTH {
            let text = shell::output(image.command(bench, side).args(["-c", PROGRAM, scale]))?;
            results.add("python-cpu", side, text.trim().parse()?);
        }
    }
    Ok(())
}
