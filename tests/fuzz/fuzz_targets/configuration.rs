//! Configuration files of any text, in each of their forms: a text is refused with places in it, or what it means can
//! be converted, and then means the same.
#![no_main]

use preamp_config::{Environment, Loaded, Source};

/// Names of up to three letters are set, to a text that tells something of the rest.
fn environment(name: &str) -> Option<String> {
    match name.len() {
        1 => Some("5".to_owned()),
        2 => Some("[a, {b: c}]".to_owned()),
        3 => Some(format!("${{{}}}", &name[1..])),
        _ => None,
    }
}

fn settings(loaded: &Loaded) -> String {
    format!("{:?} {}", loaded.settings, loaded.settings.exporter.component_json)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Reading these might never end.
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return;
    }
    let environment: Environment = &environment;
    match preamp_config::parse("f", text, environment) {
        Err(errors) => {
            assert!(!errors.0.is_empty());
            // YAML ends lines at a carriage return alone, too.
            let lines = text.matches(['\n', '\r']).count() + 2;
            for error in errors.0 {
                let place = error.place.expect("a place");
                assert!((1..=lines).contains(&place.line) && place.column >= 1, "{error}");
                assert!(!error.message.is_empty());
            }
        }
        Ok(loaded) => {
            let source = Source::Yaml(text.to_owned());
            // Keys that are paths mean something else on the command line.
            if text.contains("::") {
                return;
            }
            let converted = preamp_config::convert(&source.into(), false, environment).expect("it can be read").settings.text;
            let again = preamp_config::parse("f", &converted, environment);
            let again = again.unwrap_or_else(|errors| panic!("{errors}\n{converted}"));
            assert_eq!(settings(&again), settings(&loaded), "{converted}");
        }
    }
});
