//! The table of layouts in docs/layouts.md, for hosts without the component model: made of the contract.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

const HEAD: &str = "# Layouts of the contract

For hosts that run the core module inside the component: where the parts of each record stand in memory, and what each function takes
and returns, by the canonical ABI of the component model. Made of [`wit/exporter.wit`](../wit/exporter.wit) by a test; offsets and sizes are
in bytes, and numbers are little-endian. Text and lists are two 32-bit numbers: address, then length or count. The case of
a variant or option stands in its first byte, and its value at the offset of the column.
";

fn name(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
    let def = &resolve.types[*id];
    if let Some(name) = &def.name {
        return name.clone();
    }
    match &def.kind {
        TypeDefKind::List(element) => format!("list of {}", name(resolve, element)),
        TypeDefKind::Option(element) => format!("option of {}", name(resolve, element)),
        TypeDefKind::Handle(_) => "handle".to_owned(),
        TypeDefKind::Tuple(tuple) => {
            let parts: Vec<_> = tuple.types.iter().map(|part| name(resolve, part)).collect();
            format!("({})", parts.join(", "))
        }
        TypeDefKind::Result(result) => {
            let part =
                |ty: &Option<Type>| ty.as_ref().map_or_else(|| "nothing".to_owned(), |ty| name(resolve, ty));
            format!("result of {} or {}", part(&result.ok), part(&result.err))
        }
        other => other.as_str().to_owned(),
    }
}

/// The types of the interface that have an inner layout, each as a table.
fn types(resolve: &Resolve, sizes: &SizeAlign, page: &mut String) -> anyhow::Result<()> {
    let (_, interface) = resolve.interfaces.iter().next().context("there is no interface")?;
    for (title, id) in &interface.types {
        let kind = &resolve.types[*id].kind;
        let rows: Vec<(String, usize, String)> = match kind {
            TypeDefKind::Record(record) => {
                let offsets = sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
                let fields = record.fields.iter().zip(offsets);
                fields
                    .map(|(field, (offset, ty))| {
                        (field.name.clone(), offset.size_wasm32(), name(resolve, ty))
                    })
                    .collect()
            }
            TypeDefKind::Variant(variant) => {
                let offset =
                    sizes.payload_offset(variant.tag(), variant.cases.iter().map(|case| case.ty.as_ref()));
                let value = |ty: &Option<Type>| ty.as_ref().map_or_else(String::new, |ty| name(resolve, ty));
                let cases = variant.cases.iter().enumerate();
                cases
                    .map(|(number, case)| {
                        (format!("{number}: {}", case.name), offset.size_wasm32(), value(&case.ty))
                    })
                    .collect()
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter().enumerate();
                cases.map(|(number, case)| (format!("{number}: {}", case.name), 0, String::new())).collect()
            }
            _ => continue,
        };
        let ty = Type::Id(*id);
        let (size, align) = (sizes.size(&ty).size_wasm32(), sizes.align(&ty).align_wasm32());
        write!(
            page,
            "\n## `{title}`: {size} bytes, aligned to {align}\n\n| part | offset | type |\n| --- | ---: | --- |\n"
        )?;
        for (part, offset, ty) in rows {
            writeln!(page, "| {part} | {offset} | {ty} |")?;
        }
    }
    Ok(())
}

fn wasm(types: &[WasmType]) -> String {
    let name = |ty: &WasmType| match ty {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    };
    types.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn functions(resolve: &Resolve, page: &mut String) -> anyhow::Result<()> {
    let (_, interface) = resolve.interfaces.iter().next().context("there is no interface")?;
    write!(page, "\n## Functions\n\n| function | takes | returns | that is |\n| --- | --- | --- | --- |\n")?;
    for (title, function) in &interface.functions {
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let what = function.result.as_ref().map_or_else(String::new, |ty| name(resolve, ty));
        let address = if signature.retptr { "address of: " } else { "" };
        writeln!(
            page,
            "| `{title}` | {} | {} | {address}{what} |",
            wasm(&signature.params),
            wasm(&signature.results)
        )?;
    }
    Ok(())
}

/// With PREAMP_RENEW_LAYOUTS the page is written anew.
#[test]
fn the_layouts_are_those_of_the_contract() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut resolve = Resolve::default();
    resolve.push_path(root.join("wit"))?;
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve)?;
    let mut page = HEAD.to_owned();
    functions(&resolve, &mut page)?;
    types(&resolve, &sizes, &mut page)?;
    let file = root.join("docs/layouts.md");
    if std::env::var_os("PREAMP_RENEW_LAYOUTS").is_some() {
        std::fs::write(&file, &page)?;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    ensure!(
        written == page,
        "docs/layouts.md is not of this contract: set PREAMP_RENEW_LAYOUTS=1 to write it"
    );
    Ok(())
}
