//! What a derived implementation asks of the types of its fields.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Generics, Type, WherePredicate};

/// Tells which fields' types depend on what the user of a generic type puts in.
pub(crate) struct Mentions {
    parameters: Vec<Ident>,
    /// Its own name: a type within itself is what is being proven.
    own: Ident,
}

impl Mentions {
    pub(crate) fn new(own: &Ident, generics: &Generics) -> Self {
        let parameters = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
        Self { parameters, own: own.clone() }
    }

    /// Whether the implementation must ask for something of `field`. A type without parameters is checked
    /// where it stands. One that contains the type itself would have the compiler go in circles; what it
    /// needs beyond that, its other fields ask for.
    pub(crate) fn is_asked_of(&self, field: &Type) -> bool {
        let tokens = field.to_token_stream();
        let is_parameter = |name: &Ident| self.parameters.contains(name);
        let is_own = |name: &Ident| *name == self.own || name == "Self";
        any(tokens.clone(), &is_parameter) && !any(tokens, &is_own)
    }
}

/// Adds conditions to those that the type has.
pub(crate) fn add(generics: &mut Generics, conditions: impl IntoIterator<Item = WherePredicate>) {
    let mut conditions = conditions.into_iter().peekable();
    if conditions.peek().is_some() {
        generics.make_where_clause().predicates.extend(conditions);
    }
}

fn any(tokens: TokenStream, wanted: &impl Fn(&Ident) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => wanted(&name),
        TokenTree::Group(group) => any(group.stream(), wanted),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}
