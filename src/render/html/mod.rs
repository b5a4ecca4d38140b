//! Plans, what differs between two of them, reports and audits as pages for people who approve and do not read diffs: one file, to be opened in a browser, printed or filed.
//!
//! A page asks for nothing: no script, no picture, no font, no address but its own, and its content security policy forbids whatever is
//! not the style sheet in it. Whatever comes from elsewhere is text between tags ([`markup`]); an attribute never holds any, and
//! places within the page are named by numbers ([`page::Anchor`]). What is said on a page is said in elements that screen readers
//! know, in an order that makes sense without the style sheet, and never by colour or sign alone.

mod audit;
mod by_group;
mod by_person;
mod comparison;
mod group_list;
mod markup;
mod page;
mod people;
mod plan;
mod report;
mod table;

#[cfg(test)]
mod tests;

pub(super) use comparison::page as comparison_page;
pub(super) use plan::page as plan_page;
pub(super) use report::page as report_page;

pub use self::audit::audit_html;
pub use comparison::comparison_html;
pub use plan::html;
pub use report::report_html;
