//! The output of callgrind: instruction counts by the owner of the code.
//!
//! Knows the format (valgrind manual, "Callgrind Format Specification"). Does not know the workloads.

use std::collections::HashMap;

/// Instruction counts by the owner of the code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Instructions {
    /// The program without ring: our crates, and generic code of others that was compiled for them.
    pub(crate) ours: u64,
    /// ring, which selects its code by the processor.
    pub(crate) ring: u64,
    /// Other objects, such as the C library, which selects its code by the processor and differs between machines.
    pub(crate) system: u64,
}

/// Sums the instructions of each function without those of its callees.
pub(crate) fn read(output: &str, program: &str) -> Instructions {
    let mut names = Names::default();
    let (mut object, mut file, mut owner) = (String::new(), String::new(), Owner::System);
    let mut sum = Instructions::default();
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        match line.split_once('=') {
            Some(("ob", name)) => object = names.resolve(Kind::Object, name),
            Some(("fl", name)) => file = names.resolve(Kind::File, name),
            Some(("fn", name)) => {
                owner = Owner::of(&object, &file, &names.resolve(Kind::Function, name), program);
            }
            // These lines have no cost, but may define a name.
            Some(("cob", name)) => drop(names.resolve(Kind::Object, name)),
            Some(("fi" | "fe" | "cfi" | "cfl", name)) => drop(names.resolve(Kind::File, name)),
            Some(("cfn", name)) => drop(names.resolve(Kind::Function, name)),
            // The next line has the cost of the callee.
            Some(("calls", _)) => drop(lines.next()),
            _ => {
                let Some(cost) = self_cost(line) else { continue };
                match owner {
                    Owner::Ours => sum.ours += cost,
                    Owner::Ring => sum.ring += cost,
                    Owner::System => sum.system += cost,
                }
            }
        }
    }
    sum
}

/// `LINE COST`; the line may be relative to the previous line.
fn self_cost(line: &str) -> Option<u64> {
    let (position, cost) = line.split_once(' ')?;
    let is_position = position == "*" || position.trim_start_matches(['+', '-']).parse::<u64>().is_ok();
    if is_position { cost.trim().parse().ok() } else { None }
}

#[derive(Clone, Copy)]
enum Owner {
    Ours,
    Ring,
    System,
}

impl Owner {
    fn of(object: &str, file: &str, function: &str, program: &str) -> Self {
        let is_ring = file.contains("/ring-")
            || function.starts_with("ring::")
            || function.starts_with("<ring::")
            || function.starts_with("ring_core_");
        if !object.ends_with(program) {
            Self::System
        } else if is_ring {
            Self::Ring
        } else {
            Self::Ours
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Object,
    File,
    Function,
}

/// A name is defined once as `(7) name`; later lines refer to it as `(7)`.
#[derive(Default)]
struct Names(HashMap<(Kind, String), String>);

impl Names {
    fn resolve(&mut self, kind: Kind, text: &str) -> String {
        let Some((number, name)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            return text.to_owned();
        };
        let key = (kind, number.to_owned());
        if name.trim().is_empty() {
            return self.0.get(&key).cloned().unwrap_or_default();
        }
        let name = name.trim().to_owned();
        self.0.insert(key, name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
events: Ir
summary: 1111

ob=(1) /lib/libc.so.6
fl=(1) ./malloc.c
fn=(1) malloc
10 100
ob=(2) /target/release/workload
fl=(2) crates/dtls-core/src/outbox.rs
fn=(2) dtls_core::outbox::Outbox::poll
12 7
fi=(3) /rustc/library/core/src/slice.rs
+2 3
cob=(1)
cfi=(1)
cfn=(1)
calls=1 10
* 100
-4 1
fl=(4) /registry/ring-0.17.14/crypto/curve25519.c
fn=(3) fe_mul
1 1000
fl=(3)
fn=(4) ring::digest::digest
9 20
";

    #[test]
    fn instructions_of_a_callee_count_once() {
        let sum = read(OUTPUT, "workload");
        assert_eq!(sum, Instructions { ours: 11, ring: 1020, system: 100 });
    }
}
