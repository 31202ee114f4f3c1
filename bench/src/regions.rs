//! Costs of region look-ups and searches, as ratios to a bare map and a bare scan in the same run.

use std::{
    collections::HashMap,
    hint::black_box,
    io::Write as _,
    time::{Duration, Instant},
};

use kezdesu::domain::{
    normalization::normalize_for_search,
    regions::{Tree, UnitFilter, embedded},
};

/// Returns the shortest of several rounds, since the others were disturbed.
fn least(mut work: impl FnMut()) -> Duration {
    (0..20)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn main() -> std::io::Result<()> {
    let units = embedded();
    let names: Vec<String> = units.iter().map(|unit| normalize_for_search(&unit.names.kk)).collect();
    let map: HashMap<_, _> = units.iter().map(|unit| (unit.code, unit.clone())).collect();
    let codes: Vec<_> = units.iter().map(|unit| unit.code).collect();
    let Ok(tree) = Tree::build(units) else { return Ok(()) };

    let floor = least(|| {
        codes.iter().for_each(|code| {
            black_box(map.get(code));
        });
    });
    let look_up = least(|| {
        codes.iter().for_each(|code| {
            black_box(tree.get(*code).and_then(|at| tree.unit(at)));
        });
    });
    let scan = least(|| {
        black_box(names.iter().filter(|name| name.contains("абаи")).count());
    });
    let query = UnitFilter { search: Some("абай"), ..UnitFilter::default() };
    let search = least(|| {
        black_box(tree.select(&query));
    });

    let ratio = |cost: Duration, floor: Duration| cost.as_secs_f64() / floor.as_secs_f64().max(f64::EPSILON);
    let mut out = std::io::stdout();
    writeln!(out, "look-up by code, of a bare map:  {:.1}", ratio(look_up, floor))?;
    writeln!(out, "search by name, of a bare scan:  {:.1}", ratio(search, scan))
}
