//! The implementation, as tokens.

use crate::attributes::{Action, FieldRule, TypeRule, default_variant, note};
use crate::bounds::{self, Mentions};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Data, DataUnion, DeriveInput, Error, Fields, Index, Member, Path, Result, Type, WherePredicate,
    parse_quote, parse_quote_spanned,
};

/// `impl Recycle` for a struct or an enum.
pub(crate) fn recycle(mut input: DeriveInput) -> Result<TokenStream> {
    let rule = TypeRule::of(&input.attrs)?;
    let krate = rule.krate.unwrap_or_else(|| parse_quote!(::pool_core));
    let body = match &input.data {
        Data::Struct(data) => {
            let fields = Field::all(&data.fields)?;
            let mentions = Mentions::new(&input.ident, &input.generics);
            let suggested =
                fields.iter().filter(|f| mentions.is_asked_of(f.ty)).flat_map(|f| f.needs(&krate));
            match rule.bound {
                Some(bound) => bounds::add(&mut input.generics, bound),
                None => bounds::add(&mut input.generics, suggested.collect::<Vec<_>>()),
            }
            of_fields(&krate, &fields)
        }
        Data::Enum(data) => {
            bounds::add(&mut input.generics, rule.bound.into_iter().flatten());
            to_variant(&krate, default_variant(data, input.ident.span())?)
        }
        Data::Union(DataUnion { union_token, .. }) => {
            let message = "a union does not say which of its fields is there: implement `Recycle` by hand";
            return Err(Error::new(union_token.span, message));
        }
    };
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #generics #krate::Recycle for #name #arguments #conditions {
            #body
        }
    })
}

/// A field of a struct.
struct Field<'a> {
    member: Member,
    ty: &'a Type,
    rule: FieldRule,
}

impl<'a> Field<'a> {
    /// All of them, or everything that is wrong with any.
    fn all(fields: &'a Fields) -> Result<Vec<Self>> {
        let mut errors = None;
        let mut all = Vec::new();
        for (at, field) in (0..).zip(fields) {
            let member = match &field.ident {
                Some(name) => Member::Named(name.clone()),
                None => Member::Unnamed(Index { index: at, span: field.ty.span() }),
            };
            match FieldRule::of(&field.attrs) {
                Ok(rule) => all.push(Self { member, ty: &field.ty, rule }),
                Err(error) => note(&mut errors, error),
            }
        }
        errors.map_or(Ok(all), Err)
    }

    /// What must be true of its type.
    fn needs(&self, krate: &Path) -> Vec<WherePredicate> {
        let ty = self.ty;
        // As if it stood at the type: there the compiler points when a condition is not met.
        let krate = at(ty.span(), krate);
        let needs = |name| -> WherePredicate {
            let name = Ident::new(name, ty.span());
            parse_quote_spanned!(ty.span()=> #ty: #krate::#name)
        };
        match self.rule.action {
            Action::Recycle => vec![needs("Recycle")],
            Action::Scrub => vec![needs("Scrub"), needs("Recycle")],
            Action::Keep | Action::With(_) => Vec::new(),
        }
    }

    fn scrubbed(&self, krate: &Path) -> Option<TokenStream> {
        let Self { member, ty, .. } = self;
        matches!(self.rule.action, Action::Scrub)
            .then(|| quote!(<#ty as #krate::Scrub>::scrub(&mut self.#member);))
    }

    /// Its verdict. The type stands in the call as its owner wrote it: there the compiler points when it cannot
    /// be recycled.
    fn recycled(&self, krate: &Path, retention: &Ident) -> Option<TokenStream> {
        let Self { member, ty, .. } = self;
        match &self.rule.action {
            Action::Recycle | Action::Scrub => {
                Some(quote!(<#ty as #krate::Recycle>::recycle(&mut self.#member, #retention)))
            }
            Action::With(path) => {
                let member = at(path.span(), member);
                let call = quote_spanned!(path.span()=> #path(&mut self.#member, #retention));
                Some(returning(path.span(), &call, quote!(#krate::Keep)))
            }
            Action::Keep => None,
        }
    }

    fn weighed(&self, krate: &Path) -> Option<TokenStream> {
        let Self { member, ty, .. } = self;
        match (&self.rule.weight, &self.rule.action) {
            (Some(path), _) => {
                let member = at(path.span(), member);
                let call = quote_spanned!(path.span()=> #path(&self.#member));
                Some(returning(path.span(), &call, quote!(::core::primitive::usize)))
            }
            (None, Action::Recycle | Action::Scrub) => {
                Some(quote!(<#ty as #krate::Recycle>::weight(&self.#member)))
            }
            (None, Action::Keep | Action::With(_)) => None,
        }
    }
}

/// A call of a function that the user named, with the type that it must return. Both stand where the function
/// is named, as far as the compiler's messages go: there it points when the types differ.
fn returning(span: Span, call: &TokenStream, ty: TokenStream) -> TokenStream {
    let ty = at(span, ty);
    quote_spanned!(span=> { let returned: #ty = #call; returned })
}

/// The same tokens as if they stood elsewhere.
fn at(span: Span, tokens: impl ToTokens) -> TokenStream {
    let moved = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_token_stream().into_iter().map(moved).collect()
}

/// Each field by its rule: first what is secret, then the rest in its order.
fn of_fields(krate: &Path, fields: &[Field<'_>]) -> TokenStream {
    // Names that nothing of the user's can mean: a path in an attribute sees its own surroundings.
    let [retention, keep, weight] =
        ["retention", "keep", "weight"].map(|name| Ident::new(name, Span::mixed_site()));
    let scrubbed = fields.iter().filter_map(|field| field.scrubbed(krate));
    let verdicts: Vec<_> = fields.iter().filter_map(|field| field.recycled(krate, &retention)).collect();
    let weights = fields.iter().filter_map(|field| field.weighed(krate));
    let argument = if verdicts.is_empty() { quote!(_) } else { quote!(#retention) };
    quote! {
        #[inline]
        fn recycle(&mut self, #argument: &#krate::Retention) -> #krate::Keep {
            #(#scrubbed)*
            let #keep = #krate::Keep::Yes;
            #(let #keep = #krate::Keep::or_worse(#keep, #verdicts);)*
            #keep
        }

        #[inline]
        fn weight(&self) -> ::core::primitive::usize {
            let #weight: ::core::primitive::usize = 0;
            #(let #weight = ::core::primitive::usize::saturating_add(#weight, #weights);)*
            #weight
        }
    }
}

/// What the value was is dropped; it weighs nothing, as the default says.
fn to_variant(krate: &Path, variant: &Ident) -> TokenStream {
    quote! {
        #[inline]
        fn recycle(&mut self, _: &#krate::Retention) -> #krate::Keep {
            *self = Self::#variant;
            #krate::Keep::Yes
        }
    }
}
