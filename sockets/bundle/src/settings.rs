//! The part `settings` of a gateway: a text, as a component that was made without a compiler.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentTypeSection,
    ComponentValType, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    InstanceSection, MemorySection, MemoryType, Module, ModuleArg, ModuleSection, PrimitiveValType,
    TypeSection, ValType,
};

/// The interface, and its function.
const INTERFACE: &str = "preamp:edge/settings@0.1.0";
const FUNCTION: &str = "configuration";

/// Where the address and the length of the text stand: not at 0, which would be a null pointer.
const RESULT: u32 = 8;

/// Where the text stands.
const TEXT: u32 = 16;

/// The size of a page of memory, in bytes.
const PAGE: u64 = 64 << 10;

/// A component whose function `configuration` returns the text.
pub(super) fn component(text: &str) -> Vec<u8> {
    let mut component = Component::new();
    component.section(&ModuleSection(&module(text)));

    let mut instances = InstanceSection::new();
    instances.instantiate(0, [] as [(&str, ModuleArg); 0]);
    component.section(&instances);

    let mut aliases = ComponentAliasSection::new();
    for (kind, name) in [(ExportKind::Memory, "memory"), (ExportKind::Func, FUNCTION)] {
        aliases.alias(Alias::CoreInstanceExport { instance: 0, kind, name });
    }
    component.section(&aliases);

    let mut types = ComponentTypeSection::new();
    let parameters: [(&str, ComponentValType); 0] = [];
    types.function().params(parameters).result(Some(PrimitiveValType::String.into()));
    component.section(&types);

    let mut functions = CanonicalFunctionSection::new();
    functions.lift(0, 0, [CanonicalOption::UTF8, CanonicalOption::Memory(0)]);
    component.section(&functions);

    let mut instances = ComponentInstanceSection::new();
    instances.export_items([(FUNCTION, ComponentExportKind::Func, 0)]);
    component.section(&instances);

    let mut exports = ComponentExportSection::new();
    exports.export(INTERFACE, ComponentExportKind::Instance, 0, None);
    component.section(&exports);
    component.finish()
}

/// The module inside: a memory that holds the text, and a function that says where.
fn module(text: &str) -> Module {
    let mut module = Module::new();

    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    module.section(&types);

    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&functions);

    let minimum = (u64::from(TEXT) + text.len() as u64).div_ceil(PAGE);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum,
        maximum: Some(minimum),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    module.section(&memories);

    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export(FUNCTION, ExportKind::Func, 0);
    module.section(&exports);

    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    function.instructions().i32_const(RESULT.cast_signed()).end();
    code.function(&function);
    module.section(&code);

    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let result = [TEXT.to_le_bytes(), length.to_le_bytes()].concat();
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(RESULT.cast_signed()), result);
    data.active(0, &ConstExpr::i32_const(TEXT.cast_signed()), text.bytes());
    module.section(&data);
    module
}
