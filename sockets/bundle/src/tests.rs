use super::settings;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

/// What the part `settings` answers.
fn answer(text: &str) -> String {
    let engine = Engine::default();
    let component = Component::new(&engine, settings::component(text)).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
    let interface = instance.get_export_index(&mut store, None, "preamp:edge/settings@0.1.0").unwrap();
    let function = instance.get_export_index(&mut store, Some(&interface), "configuration").unwrap();
    let function = instance.get_typed_func::<(), (String,)>(&mut store, function).unwrap();
    function.call(&mut store, ()).unwrap().0
}

#[test]
fn settings_are_the_text_they_were_made_of() {
    for text in ["", "{}", r#"{"external_labels": {"größe": "π"}}"#] {
        assert_eq!(answer(text), text);
    }
    for length in [65_519, 65_520, 65_521, 300_000] {
        let text = "x".repeat(length);
        assert_eq!(answer(&text), text, "{length}");
    }
}
