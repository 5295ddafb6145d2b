//! The contract as its readers get it: it parses, and everything in it is documented and dated.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use wit_parser::{Docs, Interface, Resolve, Stability, TypeDefKind};

fn contract() -> anyhow::Result<Resolve> {
    let mut resolve = Resolve::default();
    resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    Ok(resolve)
}

fn interface(resolve: &Resolve) -> anyhow::Result<&Interface> {
    let mut interfaces = resolve.interfaces.iter().map(|(_, interface)| interface);
    interfaces.find(|one| one.name.as_deref() == Some("remote-write")).context("there is no remote-write")
}

/// All that has a name, with its documentation.
fn items(resolve: &Resolve) -> anyhow::Result<Vec<(String, &Docs)>> {
    let mut items = Vec::new();
    items.extend(resolve.packages.iter().map(|(_, package)| (package.name.to_string(), &package.docs)));
    items.extend(resolve.worlds.iter().map(|(_, world)| (world.name.clone(), &world.docs)));
    let interface = interface(resolve)?;
    items.push(("remote-write".to_owned(), &interface.docs));
    items.extend(interface.functions.iter().map(|(name, function)| (name.clone(), &function.docs)));
    for (name, id) in &interface.types {
        let definition = &resolve.types[*id];
        items.push((name.clone(), &definition.docs));
        let inner: Vec<(&String, &Docs)> = match &definition.kind {
            TypeDefKind::Record(record) => record.fields.iter().map(|one| (&one.name, &one.docs)).collect(),
            TypeDefKind::Variant(variant) => variant.cases.iter().map(|one| (&one.name, &one.docs)).collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|one| (&one.name, &one.docs)).collect(),
            TypeDefKind::Flags(flags) => flags.flags.iter().map(|one| (&one.name, &one.docs)).collect(),
            _ => Vec::new(),
        };
        items.extend(inner.into_iter().map(|(inner, docs)| (format!("{name}.{inner}"), docs)));
    }
    Ok(items)
}

#[test]
fn everything_is_documented() -> anyhow::Result<()> {
    let resolve = contract()?;
    let items = items(&resolve)?;
    let silent: Vec<_> = items
        .iter()
        .filter(|(_, docs)| docs.contents.as_deref().is_none_or(|text| text.trim().len() < 10))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(silent, [""; 0], "these have no documentation worth the name");
    assert!(items.len() > 80, "only {} items were looked at", items.len());
    Ok(())
}

/// Hosts link by version: without `@since` nothing can be added later.
#[test]
fn everything_says_since_when_it_is_there() -> anyhow::Result<()> {
    let resolve = contract()?;
    let interface = interface(&resolve)?;
    let functions = interface.functions.iter().map(|(name, function)| (name, &function.stability));
    let types = interface.types.iter().map(|(name, id)| (name, &resolve.types[*id].stability));
    for (name, stability) in functions.chain(types) {
        // A method is as old as the resource it belongs to, unless it says otherwise.
        if !name.starts_with('[') {
            assert!(matches!(stability, Stability::Stable { .. }), "{name} has no @since");
        }
    }
    Ok(())
}

#[test]
fn no_world_imports_anything() -> anyhow::Result<()> {
    let resolve = contract()?;
    for (_, world) in &resolve.worlds {
        assert!(world.imports.is_empty(), "{} imports {:?}", world.name, world.imports.keys());
    }
    Ok(())
}

/// The reasons of the contract, as the documentation of their fields lists them.
fn reasons(resolve: &Resolve) -> anyhow::Result<BTreeSet<String>> {
    let items = items(resolve)?;
    let mut reasons = BTreeSet::new();
    for field in ["rejection.reason", "explanation.reason"] {
        let (_, docs) = items.iter().find(|(name, _)| name == field).context(field)?;
        let listed = docs.contents.as_deref().unwrap_or_default().split('`').skip(1).step_by(2);
        reasons.extend(listed.filter(|word| !word.contains(':')).map(ToOwned::to_owned));
    }
    anyhow::ensure!(reasons.len() > 25, "{reasons:?}");
    Ok(reasons)
}

/// Reasons are texts for metrics and people, which later versions may change. What a host decides by are types.
#[test]
fn the_host_decides_by_types_and_not_by_the_texts_of_reasons() -> anyhow::Result<()> {
    // What the host itself gives as a reason, which it never compares with one of the contract.
    const OWN: [(&str, &str); 2] =
        [("delivery/driver/settling.rs", "too-old"), ("delivery/driver/settling.rs", "unsupported-protocol")];
    let reasons = reasons(&contract()?)?;
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../host")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                // The receiver that tests use, texts of tests, and the contract itself are no part of the host.
                let is_of_host =
                    !["stand-in", "tests", "demo", "host/contract"].iter().any(|own| name.ends_with(own));
                folders.extend(is_of_host.then_some(path));
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path)?;
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                let code: Vec<_> = code.collect();
                for reason in reasons.iter().filter(|reason| reason.contains('-')) {
                    let literal = format!("\"{reason}\"");
                    if code.iter().any(|line| line.contains(&literal)) {
                        found.insert((name.clone(), reason.clone()));
                    }
                }
            }
        }
    }
    let is_own = |(file, reason): &(String, String)| {
        OWN.iter().any(|(own, known)| file.ends_with(own) && reason == known)
    };
    let others: Vec<_> = found.iter().filter(|known| !is_own(known)).collect();
    assert!(others.is_empty(), "the host names reasons of the contract: {others:?}");
    assert!(found.len() >= OWN.len(), "what the host names itself was not found, so nothing was looked at");
    Ok(())
}

/// The documentation renders: each function, type, field and case has its place in the page made of it.
#[test]
fn the_documentation_renders() -> anyhow::Result<()> {
    use wit_bindgen_core::{Files, wit_parser};
    let mut resolve = wit_parser::Resolve::default();
    resolve.push_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    let (world, _) = resolve.worlds.iter().next().context("there is no world")?;
    let mut files = Files::default();
    wit_bindgen_markdown::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    let pages: Vec<_> = files.iter().map(|(name, page)| (name, String::from_utf8_lossy(page))).collect();
    let (_, html) = pages.iter().find(|(name, _)| name.ends_with(".html")).context("no page was made")?;

    let contract = contract()?;
    let interface = interface(&contract)?;
    for name in interface.functions.keys() {
        assert!(html.contains(&format!("<code>{name}: func</code>")), "{name}");
    }
    for name in interface.types.keys() {
        assert!(html.contains(&format!(" {name}</code></h4>")), "{name}");
    }
    for text in
        ["What a host must do, and all it must do", "Translates one OTLP metrics payload into batches"]
    {
        assert!(html.contains(text), "{text}");
    }
    Ok(())
}
