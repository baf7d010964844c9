
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "calendar_claims": {
                  Row: {
                    "claim_id": string,"during": unknown,"expires_at": string | null,"kind": string,"lane": number,"organization_id": string,"slot_id": string,"subject_id": string,"subject_kind": string
                  }
                  ComputedFields: never
                  Insert: {
                    "claim_id": string,"during": unknown,"expires_at"?: string | null,"kind": string,"lane": number,"organization_id": string,"slot_id": string,"subject_id": string,"subject_kind": string
                  }
                  Update: {
                    "claim_id"?: string,"during"?: unknown,"expires_at"?: string | null,"kind"?: string,"lane"?: number,"organization_id"?: string,"slot_id"?: string,"subject_id"?: string,"subject_kind"?: string
                  }
                  Relationships: [
                    
                  ]
                },"care_team_assignments": {
                  Row: {
                    "client_id": string,"created_at": string,"created_by": string | null,"ends_on": string | null,"id": string,"organization_id": string,"starts_on": string,"team_role": string,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_id": string,"created_at": string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id": string,"starts_on": string,"team_role": string,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_id"?: string,"created_at"?: string,"created_by"?: string | null,"ends_on"?: string | null,"id"?: string,"organization_id"?: string,"starts_on"?: string,"team_role"?: string,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "care_team_assignments_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "care_team_assignments_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"clients": {
                  Row: {
                    "created_at": string,"created_by": string | null,"deleted_at": string | null,"full_name": string,"id": string,"organization_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"deleted_at"?: string | null,"full_name": string,"id"?: string,"organization_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"deleted_at"?: string | null,"full_name"?: string,"id"?: string,"organization_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "clients_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"cpt_codes": {
                  Row: {
                    "code": string,"description": string,"unit_minutes": number
                  }
                  ComputedFields: never
                  Insert: {
                    "code": string,"description": string,"unit_minutes"?: number
                  }
                  Update: {
                    "code"?: string,"description"?: string,"unit_minutes"?: number
                  }
                  Relationships: [
                    
                  ]
                },"idempotency_keys": {
                  Row: {
                    "created_at": string,"expires_at": string,"key": string,"operation": string,"organization_id": string,"request_hash": string,"response": NonNullable<Json>,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string,"expires_at"?: string,"key": string,"operation": string,"organization_id": string,"request_hash": string,"response": NonNullable<Json>,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"expires_at"?: string,"key"?: string,"operation"?: string,"organization_id"?: string,"request_hash"?: string,"response"?: NonNullable<Json>,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "idempotency_keys_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"organizations": {
                  Row: {
                    "calls_per_minute": number,"created_at": string,"created_by": string | null,"id": string,"name": string,"requires_mfa": boolean,"time_zone": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "calls_per_minute"?: number,"created_at": string,"created_by"?: string | null,"id"?: string,"name": string,"requires_mfa"?: boolean,"time_zone": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "calls_per_minute"?: number,"created_at"?: string,"created_by"?: string | null,"id"?: string,"name"?: string,"requires_mfa"?: boolean,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"role_permissions": {
                  Row: {
                    "permission": string,"role": string
                  }
                  ComputedFields: never
                  Insert: {
                    "permission": string,"role": string
                  }
                  Update: {
                    "permission"?: string,"role"?: string
                  }
                  Relationships: [
                    
                  ]
                },"rooms": {
                  Row: {
                    "created_at": string,"created_by": string | null,"id": string,"name": string,"organization_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"id"?: string,"name": string,"organization_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"id"?: string,"name"?: string,"organization_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "rooms_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"services": {
                  Row: {
                    "client_lane": number,"cpt_code": string,"created_at": string,"created_by": string | null,"id": string,"is_group": boolean,"name": string,"organization_id": string,"service_code": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "client_lane"?: number,"cpt_code": string,"created_at": string,"created_by"?: string | null,"id"?: string,"is_group"?: boolean,"name": string,"organization_id": string,"service_code": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "client_lane"?: number,"cpt_code"?: string,"created_at"?: string,"created_by"?: string | null,"id"?: string,"is_group"?: boolean,"name"?: string,"organization_id"?: string,"service_code"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "services_cpt_code_fkey"
      columns: ["cpt_code"]
isOneToOne: false
      referencedRelation: "cpt_codes"
      referencedColumns: ["code"]
    },{
      foreignKeyName: "services_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"session_groups": {
                  Row: {
                    "created_at": string,"created_by": string | null,"end_time": string,"id": string,"is_group": boolean,"organization_id": string,"service_id": string,"start_time": string,"therapist_id": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"end_time": string,"id"?: string,"is_group"?: boolean,"organization_id": string,"service_id": string,"start_time": string,"therapist_id": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"end_time"?: string,"id"?: string,"is_group"?: boolean,"organization_id"?: string,"service_id"?: string,"start_time"?: string,"therapist_id"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_groups_service_fkey"
      columns: ["organization_id","service_id","is_group"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","is_group"]
    },{
      foreignKeyName: "session_groups_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"session_holds": {
                  Row: {
                    "batch_key": string,"client_id": string,"client_lane": number,"created_at": string,"created_by": string | null,"end_time": string,"expires_at": string,"id": string,"organization_id": string,"room_id": string | null,"service_id": string,"session_id": string | null,"slot_id": string,"start_time": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "batch_key": string,"client_id": string,"client_lane": number,"created_at": string,"created_by"?: string | null,"end_time": string,"expires_at": string,"id"?: string,"organization_id": string,"room_id"?: string | null,"service_id": string,"session_id"?: string | null,"slot_id"?: never,"start_time": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null
                  }
                  Update: {
                    "batch_key"?: string,"client_id"?: string,"client_lane"?: number,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"expires_at"?: string,"id"?: string,"organization_id"?: string,"room_id"?: string | null,"service_id"?: string,"session_id"?: string | null,"slot_id"?: never,"start_time"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "session_holds_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_room_fkey"
      columns: ["organization_id","room_id"]
isOneToOne: false
      referencedRelation: "rooms"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_service_fkey"
      columns: ["organization_id","service_id","client_lane"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","client_lane"]
    },{
      foreignKeyName: "session_holds_session_fkey"
      columns: ["organization_id","session_id"]
isOneToOne: false
      referencedRelation: "sessions"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "session_holds_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"sessions": {
                  Row: {
                    "cancellation_reason": string | null,"cancelled_by": string | null,"claim_id": string,"client_id": string,"client_lane": number,"created_at": string,"created_by": string | null,"end_time": string,"group_id": string | null,"id": string,"organization_id": string,"place_of_service": string | null,"room_id": string | null,"series_id": string | null,"service_id": string,"slot_id": string,"start_time": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by": string | null,"version": number
                  }
                  ComputedFields: never
                  Insert: {
                    "cancellation_reason"?: string | null,"cancelled_by"?: string | null,"claim_id": string,"client_id": string,"client_lane": number,"created_at": string,"created_by"?: string | null,"end_time": string,"group_id"?: string | null,"id"?: string,"organization_id": string,"place_of_service"?: string | null,"room_id"?: string | null,"series_id"?: string | null,"service_id": string,"slot_id"?: never,"start_time": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"therapist_id": string,"time_zone": string,"updated_at": string,"updated_by"?: string | null,"version"?: number
                  }
                  Update: {
                    "cancellation_reason"?: string | null,"cancelled_by"?: string | null,"claim_id"?: string,"client_id"?: string,"client_lane"?: number,"created_at"?: string,"created_by"?: string | null,"end_time"?: string,"group_id"?: string | null,"id"?: string,"organization_id"?: string,"place_of_service"?: string | null,"room_id"?: string | null,"series_id"?: string | null,"service_id"?: string,"slot_id"?: never,"start_time"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"therapist_id"?: string,"time_zone"?: string,"updated_at"?: string,"updated_by"?: string | null,"version"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "sessions_client_fkey"
      columns: ["organization_id","client_id"]
isOneToOne: false
      referencedRelation: "clients"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_group_fkey"
      columns: ["organization_id","group_id","therapist_id","service_id","start_time","end_time"]
isOneToOne: false
      referencedRelation: "session_groups"
      referencedColumns: ["organization_id","id","therapist_id","service_id","start_time","end_time"]
    },{
      foreignKeyName: "sessions_room_fkey"
      columns: ["organization_id","room_id"]
isOneToOne: false
      referencedRelation: "rooms"
      referencedColumns: ["organization_id","id"]
    },{
      foreignKeyName: "sessions_service_fkey"
      columns: ["organization_id","service_id","client_lane"]
isOneToOne: false
      referencedRelation: "services"
      referencedColumns: ["organization_id","id","client_lane"]
    },{
      foreignKeyName: "sessions_therapist_fkey"
      columns: ["organization_id","therapist_id"]
isOneToOne: false
      referencedRelation: "therapists"
      referencedColumns: ["organization_id","id"]
    }
                  ]
                },"therapists": {
                  Row: {
                    "created_at": string,"created_by": string | null,"credential": string,"display_name": string,"id": string,"organization_id": string,"status": string,"status_changed_at": string,"status_changed_by": string | null,"updated_at": string,"updated_by": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"credential": string,"display_name": string,"id"?: string,"organization_id": string,"status"?: string,"status_changed_at": string,"status_changed_by"?: string | null,"updated_at": string,"updated_by"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"credential"?: string,"display_name"?: string,"id"?: string,"organization_id"?: string,"status"?: string,"status_changed_at"?: string,"status_changed_by"?: string | null,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "therapists_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                },"user_roles": {
                  Row: {
                    "created_at": string,"created_by": string | null,"expires_at": string | null,"granted_by": string | null,"id": string,"organization_id": string,"revoked_at": string | null,"role": string,"updated_at": string,"updated_by": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at": string,"created_by"?: string | null,"expires_at"?: string | null,"granted_by"?: string | null,"id"?: string,"organization_id": string,"revoked_at"?: string | null,"role": string,"updated_at": string,"updated_by"?: string | null,"user_id": string
                  }
                  Update: {
                    "created_at"?: string,"created_by"?: string | null,"expires_at"?: string | null,"granted_by"?: string | null,"id"?: string,"organization_id"?: string,"revoked_at"?: string | null,"role"?: string,"updated_at"?: string,"updated_by"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "user_roles_organization_id_fkey"
      columns: ["organization_id"]
isOneToOne: false
      referencedRelation: "organizations"
      referencedColumns: ["id"]
    }
                  ]
                }
          }
          Views: {
            [_ in never]: never
          }
          Functions: {
            "cancel_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"confirm_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"custom_access_token_hook":
{ Args: { "event": Json }; Returns: Json
                           },
"hold_sessions":
{ Args: { "idempotency_key"?: string,"request": Json }; Returns: Json
                           },
"list_audit_events":
{ Args: { "before_id"?: number,"max_rows"?: number,"organization": string }; Returns: {
              "action": string,"actor_id": string,"code": string,"decision": string,"details": Json,"id": number,"occurred_at": string,"request_id": string,"row_id": string,"table_name": string
            }[]
                           }
          }
          Enums: {
            [_ in never]: never
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            
          }
        }
} as const
