#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    kezdesu::fuzzing::query(input);
});
