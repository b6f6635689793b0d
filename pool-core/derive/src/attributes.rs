//! What `#[recycle(…)]` and `#[default]` say, and which of it cannot be meant.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, DataEnum, Error, ExprPath, Ident, LitStr, Path, Result, Token, WherePredicate};

/// What is said at the type.
#[derive(Default)]
pub(crate) struct TypeRule {
    /// Where pool-core is, if not at `::pool_core`.
    pub(crate) krate: Option<Path>,
    /// What the implementation asks for, instead of what the fields' types suggest.
    pub(crate) bound: Option<Punctuated<WherePredicate, Token![,]>>,
}

/// What is said at a field.
#[derive(Default)]
pub(crate) struct FieldRule {
    pub(crate) action: Action,
    pub(crate) weight: Option<ExprPath>,
}

/// What a return does to a field.
#[derive(Default)]
pub(crate) enum Action {
    #[default]
    Recycle,
    Scrub,
    Keep,
    With(ExprPath),
}

impl TypeRule {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut rule = Self::default();
        each_word(attributes, |word, meta| match word {
            "crate" => once(&mut rule.krate, value(meta)?, meta, word),
            "bound" => {
                let inside;
                syn::parenthesized!(inside in meta.input);
                once(&mut rule.bound, Punctuated::parse_terminated(&inside)?, meta, word)
            }
            "keep" | "scrub" | "with" | "weight" => {
                Err(meta.error(format!("`{word}` is for a field; at a type stands `crate` or `bound`")))
            }
            _ => Err(meta.error("unknown; at a type stands `crate = path` or `bound(…)`")),
        })?;
        Ok(rule)
    }
}

impl FieldRule {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut action: Option<(&str, Action)> = None;
        let mut weight = None;
        each_word(attributes, |word, meta| {
            let (word, new) = match word {
                "keep" => ("keep", alone(meta, word, Action::Keep)?),
                "scrub" => ("scrub", alone(meta, word, Action::Scrub)?),
                "with" => ("with", Action::With(value(meta)?)),
                "weight" => return once(&mut weight, value(meta)?, meta, word),
                "crate" | "bound" => {
                    return Err(meta.error(format!("`{word}` is for the type, not for a field")));
                }
                _ => {
                    return Err(meta.error(
                        "unknown; at a field stands `keep`, `scrub` or `with = path`, and `weight = path`",
                    ));
                }
            };
            match &action {
                None => action = Some((word, new)),
                Some((before, _)) if *before == word => return Err(twice(meta, word)),
                Some((before, _)) => {
                    let message = format!("`{word}` contradicts `{before}`: one thing happens to a field");
                    return Err(meta.error(message));
                }
            }
            Ok(())
        })?;
        Ok(Self { action: action.map(|(_, action)| action).unwrap_or_default(), weight })
    }
}

/// The variant that an enum goes back to. `span` is where its absence is told.
pub(crate) fn default_variant(data: &DataEnum, span: Span) -> Result<&Ident> {
    let mut found: Option<&Ident> = None;
    let mut errors = None;
    for variant in &data.variants {
        let fields = variant.fields.iter().flat_map(|field| &field.attrs);
        for attribute in variant.attrs.iter().chain(fields).filter(|a| a.path().is_ident("recycle")) {
            let message = "nothing in an enum is recycled: what a variant holds is dropped";
            note(&mut errors, Error::new_spanned(attribute.path(), message));
        }
        for attribute in variant.attrs.iter().filter(|a| a.path().is_ident("default")) {
            if attribute.meta.require_path_only().is_err() {
                let message = "`#[default]` stands alone, without a value";
                note(&mut errors, Error::new_spanned(attribute.path(), message));
            } else if !matches!(variant.fields, syn::Fields::Unit) {
                let message = "the `#[default]` variant of an enum that is recycled has no fields";
                note(&mut errors, Error::new_spanned(&variant.ident, message));
            } else if let Some(first) = found {
                let message = format!("a second `#[default]`: `{first}` is marked already");
                note(&mut errors, Error::new_spanned(&variant.ident, message));
            }
            found = Some(&variant.ident);
        }
    }
    match (errors, found) {
        (Some(errors), _) => Err(errors),
        (None, Some(variant)) => Ok(variant),
        (None, None) => Err(Error::new(
            span,
            "an enum is recycled to its `#[default]` variant: mark one that has no fields",
        )),
    }
}

/// Adds an error to those found before, so that all are told at once.
pub(crate) fn note(errors: &mut Option<Error>, error: Error) {
    match errors {
        None => *errors = Some(error),
        Some(errors) => errors.combine(error),
    }
}

/// Hands over each entry of each `#[recycle(…)]` with its first word.
fn each_word(
    attributes: &[Attribute],
    mut entry: impl FnMut(&str, &ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    let mut errors = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("recycle")) {
        let list = match attribute.meta.require_list() {
            Ok(list) if !list.tokens.is_empty() => attribute.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                entry(&word, &meta)
            }),
            _ => Err(Error::new(
                attribute.meta.span(),
                "says nothing; what should happen stands in parentheses",
            )),
        };
        if let Err(error) = list {
            note(&mut errors, error);
        }
    }
    errors.map_or(Ok(()), Err)
}

/// The path after `=`.
fn value<T: syn::parse::Parse>(meta: &ParseNestedMeta<'_>) -> Result<T> {
    let value = meta.value()?;
    let (at, is_quoted) = (value.span(), value.peek(LitStr));
    value.parse().map_err(|_| {
        let how = if is_quoted { ", without quotes" } else { "" };
        Error::new(at, format!("a path stands here{how}"))
    })
}

/// The action of a word that has no value.
fn alone(meta: &ParseNestedMeta<'_>, word: &str, action: Action) -> Result<Action> {
    if meta.input.peek(Token![=]) || meta.input.peek(syn::token::Paren) {
        return Err(meta.error(format!("`{word}` stands alone, without a value")));
    }
    Ok(action)
}

fn once<T>(place: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>, word: &str) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(meta, word)),
    }
}

fn twice(meta: &ParseNestedMeta<'_>, word: &str) -> Error {
    meta.error(format!("`{word}` is said twice"))
}
