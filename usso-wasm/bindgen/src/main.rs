//! Writes the JavaScript beside a WebAssembly file, as `wasm-bindgen --target bundler` does.
//!
//! It is a part of this workspace so that one lock file pins both halves, which must be of one version.

use std::env;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(input), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: usso-bindgen <file.wasm> <folder>".into());
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).out_name("usso").bundler(true)?.typescript(true);
    Ok(bindgen.generate(folder)?)
}
